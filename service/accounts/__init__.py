# SPDX-License-Identifier: Apache-2.0
"""Accounts of ``http_basic``: reading and editing their files."""
