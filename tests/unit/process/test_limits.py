# SPDX-License-Identifier: Apache-2.0
"""Every limit is an option, and every option of the server a limit."""

from __future__ import annotations

import dataclasses

from oslo_config import cfg

from service.config import options
from service.process.limits import ServerLimits
from tests.unit.process.scripted import limits


def test_every_limit_is_read_from_the_option_of_its_name() -> None:
    found = limits(max_header_count=55, reserved_paths=['/a', '/b'])
    assert found.max_header_count == 55
    assert found.reserved_paths == ('/a', '/b')


def test_the_defaults_are_those_of_a_public_service() -> None:
    """The table of defaults that reliability is measured with."""
    found = limits()
    assert (found.header_timeout, found.keepalive_timeout) == (10, 75)
    assert (found.min_body_rate, found.body_grace) == (500, 10)
    assert (found.max_target, found.max_header_line) == (8192, 8192)
    assert (found.max_header_bytes, found.max_header_count) == (65536, 100)
    assert (found.max_chunk_overhead, found.max_trailer_bytes) == (16384, 8192)
    assert (found.max_drain, found.drain_timeout) == (65536, 1)
    assert (found.max_connections, found.max_in_flight) == (4000, 64)
    assert (found.max_queued, found.max_body) == (128, 1048576)


def test_every_number_has_bounds() -> None:
    """A limit of 0 or of minus one is refused at the start."""
    names = {one.name for one in dataclasses.fields(ServerLimits)}
    for option in options.SERVER:
        if option.name in names and isinstance(
                option, cfg.IntOpt | cfg.FloatOpt):
            assert option.type.min is not None, option.name
            assert option.type.max is not None, option.name


def test_sweeps_keep_up_with_the_shortest_limit() -> None:
    assert limits(drain_timeout=0.2).shortest_timeout == 0.2
