# SPDX-License-Identifier: Apache-2.0
"""The accept loop and the connections of one worker."""
