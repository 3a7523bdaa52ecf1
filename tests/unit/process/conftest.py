# SPDX-License-Identifier: Apache-2.0
"""Unit tests use the same hub as a worker."""

from service.process.scheduling import hub

hub.install()
