# SPDX-License-Identifier: Apache-2.0
"""Records and their types, without SQL, HTTP or oslo."""
