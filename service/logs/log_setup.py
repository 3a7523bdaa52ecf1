# SPDX-License-Identifier: Apache-2.0
"""Set up logging from the configuration, at the start and on reload."""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler

from oslo_config import cfg
from oslo_log import log

from service.errors import StartError


def setup(conf: cfg.ConfigOpts) -> None:
    """Send log records where the configuration says, by default to stderr.

    oslo.log does not close the handlers of an earlier setup. A daemon that
    reloads for its log rotation every night would run out of file descriptors,
    so they are closed here.
    """
    # Without this, each record that a full disk loses prints a traceback.
    logging.raiseExceptions = conf.debug
    if not logs_outside_terminal(conf):
        conf.set_override('use_stderr', True)
    before = list(logging.getLogger().handlers)
    try:
        log.setup(conf, 'pileus')
    except (OSError, ValueError, RuntimeError, log.LogConfigError) as exc:
        raise StartError(f'cannot set up logging: {_reason(conf, exc)}'
                         ) from exc
    for handler in list(logging.getLogger().handlers):
        if type(handler) is WatchedFileHandler:
            _replace(handler)
    for handler in before:
        if handler not in logging.getLogger().handlers:
            handler.close()


class _FileHandler(WatchedFileHandler):
    """A log file handler that loses the record if the file cannot be opened.

    The handler of the standard library raises if the file was moved away and
    cannot be opened again. A request, or the launcher, would then fail because
    of the permissions of a directory.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)


def _replace(handler: WatchedFileHandler) -> None:
    replacement = _FileHandler(handler.baseFilename)
    replacement.setFormatter(handler.formatter)
    logging.getLogger().removeHandler(handler)
    logging.getLogger().addHandler(replacement)
    handler.close()


def logs_outside_terminal(conf: cfg.ConfigOpts) -> bool:
    """Whether the log goes anywhere but to the terminal."""
    return bool(conf.log_file or conf.log_dir or conf.use_syslog
                or conf.use_journal or conf.log_config_append)


def _reason(conf: cfg.ConfigOpts, exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.filename:
        return (f'[DEFAULT] log_file = {conf.log_file}: {exc.filename}: '
                f'{exc.strerror}')
    return ' '.join(str(exc).split())
