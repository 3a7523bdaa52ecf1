# SPDX-License-Identifier: Apache-2.0
"""Admission of requests, and their order among projects."""
