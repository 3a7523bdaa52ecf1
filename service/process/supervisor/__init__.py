# SPDX-License-Identifier: Apache-2.0
"""The parent process: workers, signals, reload, systemd."""
