# SPDX-License-Identifier: Apache-2.0
"""Comparison of two catalogues, and what breaks a client."""
