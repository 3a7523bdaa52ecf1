# SPDX-License-Identifier: Apache-2.0
"""The actions that the routes are bound to."""
