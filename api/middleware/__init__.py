# SPDX-License-Identifier: Apache-2.0
"""The filters of the Paste file."""
