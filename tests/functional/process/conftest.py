# SPDX-License-Identifier: Apache-2.0
"""The daemon with a small test application, to test starts and stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.harness.daemon import ROOT, Daemon, config_dir
from tests.functional.process import apps

Served = Callable[..., Daemon]


@pytest.fixture
def prepared(tmp_path: Path) -> Served:
    """Return a function that prepares a daemon, without starting it.

    ``words`` are added to its command line; ``api`` are options of ``[api]``.
    """
    def prepare(*words: str, paste: str | None = None,
                env: dict[str, str] | None = None, **api: object) -> Daemon:
        # debug is off by default, and the tests check the log of a start.
        directory = config_dir(
            tmp_path, {}, {'DEFAULT': {'debug': False}, 'api': api},
            paste or apps.paste())
        return Daemon(directory, *words,
                      env={'PYTHONPATH': str(ROOT), **(env or {})})
    return prepare


@pytest.fixture
def serve(prepared: Served) -> Iterator[Served]:
    """Return a function that starts a daemon; it ends with the test."""
    with ExitStack() as running:
        def start(*words: str, **options: object) -> Daemon:
            return running.enter_context(prepared(*words, **options))
        yield start
