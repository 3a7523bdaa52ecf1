# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document of the API, built from the route table."""
