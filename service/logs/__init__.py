# SPDX-License-Identifier: Apache-2.0
"""Set-up of oslo.log, and escaping of text in log lines."""
