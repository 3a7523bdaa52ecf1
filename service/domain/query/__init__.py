# SPDX-License-Identifier: Apache-2.0
"""Parse a list request: filters, tags, sort keys and paging."""
