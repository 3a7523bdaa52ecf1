# SPDX-License-Identifier: Apache-2.0
"""Connections, transactions, retries and failures."""
