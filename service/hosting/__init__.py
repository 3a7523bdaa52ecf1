# SPDX-License-Identifier: Apache-2.0
"""The values that a WSGI server and the application exchange."""
