# SPDX-License-Identifier: Apache-2.0
"""Tables of the declared types, and the core tables."""
