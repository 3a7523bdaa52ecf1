# SPDX-License-Identifier: Apache-2.0
"""The router, and the routes that Python controllers add."""
