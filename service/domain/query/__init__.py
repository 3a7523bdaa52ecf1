# SPDX-License-Identifier: Apache-2.0
"""One list request as a value: filters, sort keys, paging."""
