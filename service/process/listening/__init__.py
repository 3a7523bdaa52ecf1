# SPDX-License-Identifier: Apache-2.0
"""Listening sockets, TLS contexts, balance between workers."""
