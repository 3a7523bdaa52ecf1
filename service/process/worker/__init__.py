# SPDX-License-Identifier: Apache-2.0
"""The child process: it loads the application and serves it."""
