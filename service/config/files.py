# SPDX-License-Identifier: Apache-2.0
"""Load the configuration, from a command line or from PasteDeploy's values.

``options`` declares the options. In ``service`` and ``api``, only constructors
read the configuration.
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

#: Default config directories; the first that exists is used.
SEARCH_DIRECTORIES = ('~/.pileus', '/etc/pileus')
ENVIRONMENT = 'OS_PILEUS_CONFIG_DIR'


def load(argv: Sequence[str], prog: str = 'pileus-api',
         cli_opts: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """Parse the command line and read all config files that it leads to.

    All values are read here once: an invalid value stops the start, and not
    the first request that needs it. Raises StartError with file and option.
    """
    conf = parse(argv, prog, cli_opts)
    check(conf, argv)
    return conf


def parse(argv: Sequence[str], prog: str = 'pileus-api',
          cli_opts: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """Do the first half of ``load``: as much as logging needs.

    A command sets logging up between the halves, so that an invalid value
    which ``check`` finds is logged too.
    """
    conf = cfg.ConfigOpts()
    for group, group_options in options.GROUPS.items():
        conf.register_opts(group_options,
                           None if group == 'DEFAULT' else group)
    conf.register_cli_opts(list(cli_opts))
    options.set_defaults()
    log.register_options(conf)
    conf.register_opts(db_options.database_opts, 'database')
    _parse(conf, argv, prog)
    if not conf.config_dir and not conf.config_file:
        raise StartError(
            f'no config directory: give --config-dir, set {ENVIRONMENT} or '
            f'create one of {", ".join(SEARCH_DIRECTORIES)}')
    return conf


def check(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    """Read each option once: oslo.config validates values when they are read.
    """
    groups = {**options.GROUPS, 'database': [
        *options.GROUPS['database'], *db_options.database_opts]}
    for group, group_options in groups.items():
        _read(conf, group, group_options, argv)


def check_group(conf: cfg.ConfigOpts, group: str,
                group_options: Iterable[cfg.Opt]) -> None:
    """Do what ``check`` does, for options that a library registered later."""
    _read(conf, group, group_options, _argv(to_paste(conf)))


def _read(conf: cfg.ConfigOpts, group: str, group_options: Iterable[cfg.Opt],
          argv: Sequence[str]) -> None:
    section = conf if group == 'DEFAULT' else conf[group]
    for option in group_options:
        try:
            section[option.dest]
        except (ValueError, cfg.Error) as exc:
            raise StartError(value_origin.complaint(
                _config_files(argv), group, option.dest, exc)) from exc


#: Key of PasteDeploy's values that distinguishes one load from the next.
LOAD_ID = 'pileus_load'

#: Key for the path of the workers' handover.
HANDOVER = 'pileus_kept'

#: Key for a load that only checks, and must change nothing.
CHECK_ONLY = 'pileus_check'


def from_paste(global_conf: Mapping[str, str]) -> cfg.ConfigOpts:
    """Load the configuration from the values that ``to_paste`` returned."""
    return load(_argv(global_conf))


def _argv(global_conf: Mapping[str, str]) -> list[str]:
    """Return a command line that leads to the same files."""
    argv: list[str] = []
    for name, option in (('config_files', '--config-file'),
                         ('config_dirs', '--config-dir')):
        for path in filter(None, global_conf.get(name, '').split(os.pathsep)):
            argv += [option, path]
    return argv


def to_paste(conf: cfg.ConfigOpts) -> dict[str, str]:
    """Return the paths of the configuration for PasteDeploy.

    PasteDeploy passes on only text, so lists are joined with os.pathsep.
    """
    return {'config_dirs': os.pathsep.join(map(os.path.abspath,
                                               conf.config_dir or ())),
            'config_files': os.pathsep.join(map(os.path.abspath,
                                                conf.config_file or ()))}


def directories(conf: cfg.ConfigOpts) -> list[str]:
    """Return the directories to search for relative paths, in order."""
    dirs = list(conf.config_dir or ())
    dirs += [os.path.dirname(os.path.abspath(path))
             for path in conf.config_file or ()]
    return list(dict.fromkeys(map(os.path.abspath, dirs)))


def find(conf: cfg.ConfigOpts, group: str, option: str) -> str:
    """Return the path that an option names; raise StartError if missing."""
    value = conf[group][option]
    candidates = [os.path.join(directory, value)
                  for directory in directories(conf)]
    for path in candidates:
        if os.path.exists(path):
            return path
    raise StartError(f'[{group}] {option} = {value}: no such file or '
                     f'directory (looked for {", ".join(candidates)})')


def state_path(conf: cfg.ConfigOpts) -> str:
    """Return the state directory, and create it if it does not exist.

    Raises StartError if it cannot be created or written to.
    """
    path = planned_state_path(conf)
    try:
        os.makedirs(path, mode=0o750, exist_ok=True)
    except OSError as exc:
        raise _unusable(conf, path, exc.errno or 0) from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise _not_writable(conf, path)
    return path


def checked_state_path(conf: cfg.ConfigOpts) -> str:
    """Return the state directory, or where it would be, without creating it.

    Raises StartError where ``state_path`` would.
    """
    path = planned_state_path(conf)
    existing = path
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        number = errno.EEXIST if existing == path else errno.ENOTDIR
        raise _unusable(conf, path, number)
    if not os.access(existing, os.W_OK | os.X_OK):
        if existing == path:
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
    """Return the path of the state directory, which may not exist yet."""
    return os.path.normpath(os.path.join(directories(conf)[0],
                                         conf.state_path))


def answer_timeout(conf: cfg.ConfigOpts) -> float:
    """Return how many seconds to wait for a reply of the database.

    This is longer than ``statement_timeout``, so that a healthy database
    reports a timeout itself.
    """
    return conf.database.statement_timeout + 5.0


def _default_dirs() -> list[str]:
    named = os.environ.get(ENVIRONMENT)
    if named:
        return [named]
    expanded = map(os.path.expanduser, SEARCH_DIRECTORIES)
    return list(filter(os.path.isdir, expanded))[:1]


def _config_files(argv: Sequence[str]) -> list[str]:
    return value_origin.files(argv, _default_dirs())


def _parse(conf: cfg.ConfigOpts, argv: Sequence[str], prog: str) -> None:
    """Let oslo.config parse; turn its failures into StartError.

    For an invalid logging option in a file, oslo.config prints a line and
    exits with 1, which would end a running daemon on reload. Usage errors (2)
    and --help (0) still end the command.
    """
    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            conf(list(argv), project='pileus', prog=prog,
                 default_config_files=[], default_config_dirs=_default_dirs())
    except cfg.Error as exc:
        raise StartError(value_origin.one_line(exc)) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise StartError(
            value_origin.unreadable(_config_files(argv), exc)) from exc
    except SystemExit as exc:
        if exc.code != 1:
            sys.stderr.write(output.getvalue())
            raise
        raise StartError(value_origin.argument(
            _config_files(argv), output.getvalue())) from exc
