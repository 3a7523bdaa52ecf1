# SPDX-License-Identifier: Apache-2.0
"""Declared types as frozen values."""
