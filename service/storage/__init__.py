# SPDX-License-Identifier: Apache-2.0
"""Storage in SQL databases: the only user of SQLAlchemy."""
