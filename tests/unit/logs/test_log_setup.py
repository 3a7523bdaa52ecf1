# SPDX-License-Identifier: Apache-2.0
"""The destinations of log records, also after the log file was moved away."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError
from service.logs import log_setup


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore the logging of the tests themselves."""
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, logging.raiseExceptions = hook, True


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / 'log' / 'pileus.log'


@pytest.fixture
def conf(log: Path) -> cfg.ConfigOpts:
    log.parent.mkdir()
    return config_files.load(['--config-dir', str(log.parent.parent),
                              '--log-file', str(log)])


def test_records_go_to_the_configured_file(conf: cfg.ConfigOpts, log: Path
                                           ) -> None:
    log_setup.setup(conf)
    logging.getLogger('a').warning('hello')
    assert log.read_text().count('hello') == 1
    assert log_setup.logs_outside_terminal(conf)


def test_repeated_setup_leaks_no_descriptors(conf: cfg.ConfigOpts) -> None:
    log_setup.setup(conf)
    before = len(os.listdir('/proc/self/fd'))
    for _ in range(10):
        log_setup.setup(conf)
    assert len(os.listdir('/proc/self/fd')) == before


def test_a_log_file_that_cannot_be_reopened_loses_only_records(
        conf: cfg.ConfigOpts, log: Path) -> None:
    """S12: logging continues once the file can be opened again."""
    log_setup.setup(conf)
    aside = log.parent.rename(log.parent.with_name('aside'))
    for _ in range(2):
        logging.getLogger('a').warning('lost')
    aside.rename(log.parent)
    log.unlink()
    logging.getLogger('a').warning('found')
    assert 'found' in log.read_text()


def test_a_log_file_that_cannot_be_opened_is_named(conf: cfg.ConfigOpts,
                                                   log: Path) -> None:
    log.mkdir()
    with pytest.raises(StartError, match=f'log_file = {log}: {log}: Is a '
                       'directory'):
        log_setup.setup(conf)
