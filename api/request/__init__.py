# SPDX-License-Identifier: Apache-2.0
"""Parsing and validation of requests: headers, parameters, bodies."""
