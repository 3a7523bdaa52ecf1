# SPDX-License-Identifier: Apache-2.0
"""pileus-api: serve the API until a signal stops it."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_log import log

from service.config import files as config_files
from service.config import options
from service.errors import StartError
from service.logs import log_setup
from service.process.listening import listeners, tls_context
from service.process.supervisor import daemon
from service.process.supervisor.launcher import Launcher

LOG = log.getLogger(__name__)

PROG = 'pileus-api'


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service; return the exit status.

    An error that prevents the start is printed to stderr, and logged if the
    log goes anywhere else. The status is then 1.
    """
    arguments = daemon.absolute_paths(
        sys.argv[1:] if argv is None else argv)
    conf = None
    try:
        conf = _configure(arguments)
        config_files.check(conf, arguments)
        return _run(conf, arguments)
    except StartError as exc:
        _report(exc, conf)
        return 1


def _configure(argv: Sequence[str]) -> cfg.ConfigOpts:
    named = os.environ.get(config_files.ENVIRONMENT)
    if named:
        os.environ[config_files.ENVIRONMENT] = os.path.abspath(named)
    conf = config_files.parse(argv, PROG, options.COMMAND)
    log_setup.setup(conf)
    return conf


def _run(conf: cfg.ConfigOpts, argv: Sequence[str]) -> int:
    """Check, detach or serve, as the options say."""
    def serve(announce: Callable[[], None] = lambda: None) -> int:
        with _pid_file(conf):
            return Launcher(
                conf, lambda: config_files.load(argv, PROG, options.COMMAND),
                announce).run()

    if conf.check:
        return _check(conf)
    return daemon.detach(serve) if conf.daemon else serve()


def _check(conf: cfg.ConfigOpts) -> int:
    """Raise StartError if a start would fail; otherwise print the result.

    Nothing is changed. An address or pid file that another process holds is
    reported as a note, because it may belong to the running service.
    """
    from service.hosting import paste
    tls_context.context(conf)
    notes = listeners.check(conf)
    if conf.pid_file:
        notes += daemon.PidFile(conf.pid_file).check()
    paste.load(conf, check=True)
    for note in notes:
        print(f'{PROG}: note: {note}; a start fails unless this process ends '
              'first')
    print(f'{PROG}: configuration is valid: '
          f'{", ".join(config_files.directories(conf))}')
    return 0


def _pid_file(conf: cfg.ConfigOpts) -> contextlib.AbstractContextManager:
    if conf.pid_file:
        return daemon.PidFile(conf.pid_file)
    return contextlib.nullcontext()


def _report(exc: StartError, conf: cfg.ConfigOpts | None) -> None:
    for text in str(exc).splitlines():
        print(f'{PROG}: {text}', file=sys.stderr)
        if conf is not None and log_setup.logs_outside_terminal(conf):
            LOG.error(text)
    if conf is not None and conf.debug:
        traceback.print_exception(exc)


if __name__ == '__main__':
    sys.exit(main())
