# SPDX-License-Identifier: Apache-2.0
"""How much of everything one worker grants a client, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields

from oslo_config import cfg


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Each field is the ``[api]`` option of its name; seconds are floats.

    ``service_type`` is no limit, but the server's own error documents carry
    it; nor is ``auth_strategy``, which tells what a client is known by.
    """

    service_type: str
    auth_strategy: str
    max_target: int
    max_header_line: int
    max_header_bytes: int
    max_header_count: int
    max_body: int
    max_chunk_overhead: int
    max_trailer_bytes: int
    max_trailer_count: int
    max_drain: int
    drain_timeout: float
    header_timeout: float
    keepalive_timeout: float
    min_body_rate: int
    body_grace: float
    body_timeout: float
    write_timeout: float
    max_connections: int
    max_in_flight: int
    max_queued: int
    queue_timeout: float
    reserved_in_flight: int
    reserved_paths: tuple[str, ...]

    @classmethod
    def read(cls, conf: cfg.ConfigOpts) -> ServerLimits:
        values = {one.name: conf.api[one.name] for one in fields(cls)}
        values['reserved_paths'] = tuple(values['reserved_paths'])
        return cls(**values)

    @property
    def patience(self) -> float:
        """The shortest time limit: what a sweep must keep up with."""
        return min(self.drain_timeout, self.header_timeout,
                   self.keepalive_timeout, self.body_grace,
                   self.body_timeout, self.write_timeout, self.queue_timeout)
