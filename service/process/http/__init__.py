# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on one connection: parsing requests, sending replies."""
