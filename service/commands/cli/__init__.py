# SPDX-License-Identifier: Apache-2.0
"""Parser, output, progress and database of the commands."""
