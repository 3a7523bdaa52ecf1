# SPDX-License-Identifier: Apache-2.0
"""Config directories for tests: written, changed, and looked behind."""

from __future__ import annotations

import configparser
import contextlib
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from service.commands import schema
from service.config import files as config_files
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError
from service.storage.schema.apply import Refused
from tests.functional.harness import databases

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / 'etc' / 'pileus'


def free_port(host: str = '127.0.0.1') -> int:
    """A TCP port that nobody listens on right now."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def config_dir(tmp_path: Path, types: Mapping[str, str] | None = None,
               conf: Mapping[str, Mapping[str, object]] | None = None,
               paste: str | None = None) -> Path:
    """A config directory on a free port, with one worker.

    ``types`` maps names to the YAML of a type; without it the shipped ones
    are served. ``conf`` maps groups to options and wins over all else here.
    ``paste`` is the text of another api-paste.ini.
    """
    made = tmp_path / 'etc'
    (made / 'resources.d').mkdir(parents=True)
    for ini in SHIPPED.glob('*.ini'):
        shutil.copy(ini, made)
    if paste is not None:
        (made / 'api-paste.ini').write_text(paste)
    if types is None:
        types = {path.stem: path.read_text()
                 for path in (SHIPPED / 'resources.d').glob('*.yaml')}
    for name, text in types.items():
        (made / 'resources.d' / f'{name}.yaml').write_text(text)
    configure(made, {'DEFAULT': {'state_path': tmp_path / 'state',
                                 'debug': True},
                     'api': {'bind_port': free_port(), 'workers': 1}})
    configure(made, conf or {})
    connection = databases.connection()
    if connection is not None and 'connection' not in (conf or {}).get(
            'database', {}):
        configure(made, {'database': {'connection': connection}})
    return made


def prepare(directory: Path) -> None:
    """Bring a database server's tables to the types of a config directory,
    as an operator does before a start. SQLite is brought up by the start.

    What cannot be done is for the start to tell.
    """
    if (options(directory, 'database').get('connection') or
            'sqlite').startswith('sqlite'):
        return
    with contextlib.suppress(StartError, DeclarationError, Refused):
        schema.apply_configured(config_files.load(['--config-dir',
                                             str(directory)]))


def database(directory: Path) -> sa.Engine:
    """The database of a config directory, to look into beside the service.
    """
    state = directory.parent / 'state' / 'pileus.sqlite'
    return sa.create_engine(
        options(directory, 'database').get('connection') or
        f'sqlite:///{state}', poolclass=sa.NullPool)


def options(directory: Path, group: str) -> Mapping[str, str]:
    """The options of a group as its pileus.conf has them."""
    parser = configparser.RawConfigParser()
    parser.read(directory / 'pileus.conf')
    return parser[group] if parser.has_section(group) else {}


def configure(directory: Path,
              conf: Mapping[str, Mapping[str, object]]) -> None:
    """Set options in a config directory; those it has and are not named stay.
    """
    file = directory / 'pileus.conf'
    parser = configparser.RawConfigParser()
    parser.read(file)
    for group, values in conf.items():
        if group != 'DEFAULT' and not parser.has_section(group):
            parser.add_section(group)
        for name, value in values.items():
            parser.set(group, name, str(value))
    with file.open('w') as written:
        parser.write(written)
