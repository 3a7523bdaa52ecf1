# SPDX-License-Identifier: Apache-2.0
"""The limits that one worker puts on its clients, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields

from oslo_config import cfg


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The ``[api]`` options that the HTTP server needs, by the same names.

    Sizes are in bytes, times in seconds. Two fields are not limits:
    ``service_type`` stands in the server's error documents, and
    ``auth_strategy`` determines which header identifies a client.
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
        values = {option.name: conf.api[option.name]
                  for option in fields(cls)}
        values['reserved_paths'] = tuple(values['reserved_paths'])
        return cls(**values)

    @property
    def shortest_timeout(self) -> float:
        """The shortest of the time limits, in seconds.

        The server checks deadlines several times within this period.
        """
        return min(self.drain_timeout, self.header_timeout,
                   self.keepalive_timeout, self.body_grace,
                   self.body_timeout, self.write_timeout, self.queue_timeout)
