# SPDX-License-Identifier: Apache-2.0
"""What several rooms of functional tests ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.harness import Daemon, config_dir
from tests.functional.inprocess import Application


@pytest.fixture(scope='module')
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """``pileus-api`` with the shipped types, one for all tests of a file."""
    with Daemon(config_dir(tmp_path_factory.mktemp('daemon'))) as running:
        yield running


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """The shipped types in this process, over an empty database."""
    return Application(config_dir(tmp_path))
