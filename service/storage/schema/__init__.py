# SPDX-License-Identifier: Apache-2.0
"""Schema changes: the plan, its steps, and how they are applied."""
