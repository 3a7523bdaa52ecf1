# SPDX-License-Identifier: Apache-2.0
"""The daemon on a small application of our own, for tests of its life."""

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
    """A daemon that is not started yet; ``api`` are options of ``[api]``."""
    def prepare(*words: str, paste: str | None = None,
                env: dict[str, str] | None = None, **api: object) -> Daemon:
        # As shipped, for what is said at a start and in what order.
        directory = config_dir(
            tmp_path, {}, {'DEFAULT': {'debug': False}, 'api': api},
            paste or apps.paste())
        return Daemon(directory, *words,
                      env={'PYTHONPATH': str(ROOT), **(env or {})})
    return prepare


@pytest.fixture
def serve(prepared: Served) -> Iterator[Served]:
    """A daemon that serves, and is ended with the test."""
    with ExitStack() as running:
        def start(*words: str, **options: object) -> Daemon:
            return running.enter_context(prepared(*words, **options))
        yield start
