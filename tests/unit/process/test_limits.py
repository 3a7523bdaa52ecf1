# SPDX-License-Identifier: Apache-2.0
"""The limits of the HTTP server and their options."""

from __future__ import annotations

import dataclasses

from oslo_config import cfg

from service.config import options
from service.process.limits import ServerLimits
from tests.unit.process.scripted import limits


def test_each_limit_is_read_from_the_option_of_the_same_name() -> None:
    server_limits = limits(max_header_count=55, reserved_paths=['/a', '/b'])
    assert server_limits.max_header_count == 55
    assert server_limits.reserved_paths == ('/a', '/b')


def test_the_defaults_suit_a_public_service() -> None:
    """The defaults with which the reliability tests run."""
    defaults = limits()
    assert (defaults.header_timeout, defaults.keepalive_timeout) == (10, 75)
    assert (defaults.min_body_rate, defaults.body_grace) == (500, 10)
    assert (defaults.max_target, defaults.max_header_line) == (8192, 8192)
    assert (defaults.max_header_bytes,
            defaults.max_header_count) == (65536, 100)
    assert (defaults.max_chunk_overhead,
            defaults.max_trailer_bytes) == (16384, 8192)
    assert (defaults.max_drain, defaults.drain_timeout) == (65536, 1)
    assert (defaults.max_connections, defaults.max_in_flight) == (4000, 64)
    assert (defaults.max_queued, defaults.max_body) == (128, 1048576)


def test_each_numeric_limit_has_bounds() -> None:
    """A start with a limit of 0 or -1 is refused."""
    names = {limit.name for limit in dataclasses.fields(ServerLimits)}
    for option in options.SERVER:
        if option.name in names and isinstance(
                option, cfg.IntOpt | cfg.FloatOpt):
            assert option.type.min is not None, option.name
            assert option.type.max is not None, option.name


def test_shortest_timeout_is_the_shortest_time_limit() -> None:
    assert limits(drain_timeout=0.2).shortest_timeout == 0.2
