# SPDX-License-Identifier: Apache-2.0
"""JSON values, timestamps, JSON Pointers and patches."""
