# SPDX-License-Identifier: Apache-2.0
"""Comparison of two catalogues: changes, and breaks of clients."""
