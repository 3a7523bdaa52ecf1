# SPDX-License-Identifier: Apache-2.0
"""The scripts, one a version. A released one is never edited.

They name tables and columns as they were then; only what a kind of column is
on each database is asked of ``columns``.
"""
