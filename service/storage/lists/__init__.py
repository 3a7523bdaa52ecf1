# SPDX-License-Identifier: Apache-2.0
"""Lists as SQL: conditions, order, cached statements."""
