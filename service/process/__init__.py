# SPDX-License-Identifier: Apache-2.0
"""The daemon: workers and HTTP server, the only user of eventlet."""
