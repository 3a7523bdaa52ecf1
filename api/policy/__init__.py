# SPDX-License-Identifier: Apache-2.0
"""Access rules: the defaults, the files, and their enforcement."""
