# SPDX-License-Identifier: Apache-2.0
"""Commands of ``pileus-manage`` that need the API."""
