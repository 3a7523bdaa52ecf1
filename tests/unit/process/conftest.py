# SPDX-License-Identifier: Apache-2.0
"""Green threads are here as they are in a worker: on its own hub."""

from service.process.scheduling import hub

hub.install()
