# SPDX-License-Identifier: Apache-2.0
"""The commands ``pileus-api``, ``pileus-manage``, ``pileus-status``."""
