# SPDX-License-Identifier: Apache-2.0
"""The authorization policy: default rules, policy files and enforcement."""
