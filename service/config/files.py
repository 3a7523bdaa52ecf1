# SPDX-License-Identifier: Apache-2.0
"""The configuration, from a command line or from what PasteDeploy carries.

``options`` declares what it may say. Nothing below the constructors of
``service`` and ``api`` reads it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log

from service.config import options, value_origin
from service.errors import StartError

#: Where a config directory is looked for when none is named.
SEARCH_DIRECTORIES = ('~/.pileus', '/etc/pileus')
ENVIRONMENT = 'OS_PILEUS_CONFIG_DIR'


def load(argv: Sequence[str], prog: str = 'pileus-api',
         cli: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """Parse the command line and read every config file it leads to.

    Every value is read once here, so a bad one stops the start and not the
    first request that meets it. Raises StartError naming file and option.
    """
    conf = parse(argv, prog, cli)
    check(conf, argv)
    return conf


def parse(argv: Sequence[str], prog: str = 'pileus-api',
          cli: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """The first half of ``load``: enough to set logging up.

    A command does that between the halves, so that a bad value which
    ``check`` finds is told in the log as well.
    """
    conf = cfg.ConfigOpts()
    for group, listed in options.GROUPS.items():
        conf.register_opts(listed, None if group == 'DEFAULT' else group)
    conf.register_cli_opts(list(cli))
    options.set_defaults()
    log.register_options(conf)
    conf.register_opts(db_options.database_opts, 'database')
    _parse(conf, argv, prog)
    if not conf.config_dir and not conf.config_file:
        raise StartError(
            f'no config directory: give --config-dir, set {ENVIRONMENT} or '
            f'make one of {", ".join(SEARCH_DIRECTORIES)}')
    return conf


def check(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    """Read each option once: oslo.config checks a value when it is read."""
    read = {**options.GROUPS, 'database': [
        *options.GROUPS['database'], *db_options.database_opts]}
    for group, listed in read.items():
        _read(conf, group, listed, argv)


def check_group(conf: cfg.ConfigOpts, group: str,
                listed: Iterable[cfg.Opt]) -> None:
    """As ``check``, for options that another library brought later."""
    _read(conf, group, listed, _argv(to_paste(conf)))


def _read(conf: cfg.ConfigOpts, group: str, listed: Iterable[cfg.Opt],
          argv: Sequence[str]) -> None:
    section = conf if group == 'DEFAULT' else conf[group]
    for option in listed:
        try:
            section[option.dest]
        except (ValueError, cfg.Error) as exc:
            raise StartError(value_origin.complaint(
                _config_files(argv), group, option.dest, exc)) from exc


#: What PasteDeploy carries to tell one load of a file from the next.
LOAD_ID = 'pileus_load'

#: And where the workers of one configuration leave what is in force.
HANDOVER = 'pileus_kept'

#: And that nothing is to be served: whoever loads only wants to know.
CHECK_ONLY = 'pileus_check'


def from_paste(global_conf: Mapping[str, str]) -> cfg.ConfigOpts:
    """The same configuration, from what PasteDeploy carries (strings only).

    ``config_dirs`` and ``config_files`` are lists joined with os.pathsep, as
    ``to_paste`` writes them.
    """
    return load(_argv(global_conf))


def _argv(global_conf: Mapping[str, str]) -> list[str]:
    """The words of a command line that leads to the same files."""
    argv: list[str] = []
    for name, option in (('config_files', '--config-file'),
                         ('config_dirs', '--config-dir')):
        for path in filter(None, global_conf.get(name, '').split(os.pathsep)):
            argv += [option, path]
    return argv


def to_paste(conf: cfg.ConfigOpts) -> dict[str, str]:
    return {'config_dirs': os.pathsep.join(map(os.path.abspath,
                                               conf.config_dir or ())),
            'config_files': os.pathsep.join(map(os.path.abspath,
                                                conf.config_file or ()))}


def directories(conf: cfg.ConfigOpts) -> list[str]:
    """Where relative names in options are looked for, in order."""
    dirs = list(conf.config_dir or ())
    dirs += [os.path.dirname(os.path.abspath(one))
             for one in conf.config_file or ()]
    return list(dict.fromkeys(map(os.path.abspath, dirs)))


def find(conf: cfg.ConfigOpts, group: str, option: str) -> str:
    """The file or directory an option names; StartError where it is not."""
    value = conf[group][option]
    candidates = [os.path.join(one, value) for one in directories(conf)]
    for path in candidates:
        if os.path.exists(path):
            return path
    raise StartError(f'[{group}] {option} = {value}: no such file or '
                     f'directory (looked for {", ".join(candidates)})')


def state_path(conf: cfg.ConfigOpts) -> str:
    """The state directory, made if it can be; StartError where it cannot."""
    path = planned_state_path(conf)
    try:
        os.makedirs(path, mode=0o750, exist_ok=True)
    except OSError as exc:
        raise _unusable(conf, path, exc.errno or 0) from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise _not_writable(conf, path)
    return path


def checked_state_path(conf: cfg.ConfigOpts) -> str:
    """The state directory, made by nobody; StartError as ``state_path``."""
    path = planned_state_path(conf)
    there = path
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        number = errno.EEXIST if there == path else errno.ENOTDIR
        raise _unusable(conf, path, number)
    if not os.access(there, os.W_OK | os.X_OK):
        if there == path:
            raise _not_writable(conf, path)
        raise _unusable(conf, path, errno.EACCES)
    return path


def _unusable(conf: cfg.ConfigOpts, path: str, number: int) -> StartError:
    return StartError(f'[DEFAULT] state_path = {conf.state_path}: cannot '
                      f'make {path}: {os.strerror(number)}')


def _not_writable(conf: cfg.ConfigOpts, path: str) -> StartError:
    return StartError(f'[DEFAULT] state_path = {conf.state_path}: {path} '
                      f'is not writable for user {os.geteuid()}')


def planned_state_path(conf: cfg.ConfigOpts) -> str:
    """The state directory, whether it is there or not."""
    return os.path.normpath(os.path.join(directories(conf)[0],
                                         conf.state_path))


def answer_timeout(conf: cfg.ConfigOpts) -> float:
    """How many seconds a database's answer is waited for: longer than a
    statement may take, so that a server that is well says so itself."""
    return conf.database.statement_timeout + 5.0


def _default_dirs() -> list[str]:
    named = os.environ.get(ENVIRONMENT)
    if named:
        return [named]
    found = (os.path.expanduser(one) for one in SEARCH_DIRECTORIES)
    return [one for one in found if os.path.isdir(one)][:1]


def _config_files(argv: Sequence[str]) -> list[str]:
    return value_origin.files(argv, _default_dirs())


def _parse(conf: cfg.ConfigOpts, argv: Sequence[str], prog: str) -> None:
    """Let oslo.config parse, with every failure of its own as a StartError.

    A bad value of a logging option in a file makes oslo.config print a line
    and exit with 1, which would end a running daemon on reload. Usage errors
    (2) and --help (0) still end the command as argparse has it.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            conf(list(argv), project='pileus', prog=prog,
                 default_config_files=[], default_config_dirs=_default_dirs())
    except cfg.Error as exc:
        raise StartError(value_origin.one_line(exc)) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise StartError(
            value_origin.unreadable(_config_files(argv), exc)) from exc
    except SystemExit as exc:
        if exc.code != 1:
            sys.stderr.write(said.getvalue())
            raise
        raise StartError(value_origin.argument(
            _config_files(argv), said.getvalue())) from exc
