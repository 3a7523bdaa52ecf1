# SPDX-License-Identifier: Apache-2.0
"""A server that the tests of a module share if they change no limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.http.serving import Running, serving


@pytest.fixture(scope='module')
def shared() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture
def running(shared: Running) -> Running:
    """Return the server of the module, without recorded requests."""
    shared.app.seen.clear()
    return shared
