# SPDX-License-Identifier: Apache-2.0
"""Logging, set up from the configuration and set up again on reload."""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler

from oslo_config import cfg
from oslo_log import log

from service.errors import StartError


def setup(conf: cfg.ConfigOpts) -> None:
    """Send log records where the configuration says, else to stderr.

    oslo.log drops the handlers of an earlier call without closing them; a
    daemon that is told to reload every night for its log rotation would run
    out of file descriptors.
    """
    # A full disk is no news a second time, and no reason for a traceback.
    logging.raiseExceptions = conf.debug
    if not elsewhere(conf):
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
    """A log file whose loss costs the record alone.

    The handler of the standard library raises out of the call that logs when
    the file was moved away and cannot be opened again: a request would fail,
    or the launcher end, because of a directory's permissions.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)


def _replace(handler: WatchedFileHandler) -> None:
    sturdy = _FileHandler(handler.baseFilename)
    sturdy.setFormatter(handler.formatter)
    logging.getLogger().removeHandler(handler)
    logging.getLogger().addHandler(sturdy)
    handler.close()


def elsewhere(conf: cfg.ConfigOpts) -> bool:
    """Whether the log goes anywhere but to the terminal."""
    return bool(conf.log_file or conf.log_dir or conf.use_syslog
                or conf.use_journal or conf.log_config_append)


def _reason(conf: cfg.ConfigOpts, exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.filename:
        return (f'[DEFAULT] log_file = {conf.log_file}: {exc.filename}: '
                f'{exc.strerror}')
    return ' '.join(str(exc).split())
