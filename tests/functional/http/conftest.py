# SPDX-License-Identifier: Apache-2.0
"""One server for the tests of a file that change none of its limits."""

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
    """The file's server, with nothing seen yet."""
    shared.app.seen.clear()
    return shared
