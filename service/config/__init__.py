# SPDX-License-Identifier: Apache-2.0
"""The configuration: options, files, and the origin of each value."""
