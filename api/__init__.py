# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: routes, requests, policy, responses, Paste factories."""
