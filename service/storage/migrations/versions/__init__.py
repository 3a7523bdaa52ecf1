# SPDX-License-Identifier: Apache-2.0
"""The migration scripts, one for each version.

The tables and columns of a released script never change. Column types come
from ``tables.columns``.
"""
