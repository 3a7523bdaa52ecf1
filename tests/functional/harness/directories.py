# SPDX-License-Identifier: Apache-2.0
"""Config directories for tests: create and change them, open their database.
"""

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
from service.storage.schema.apply import PlanRefused
from tests.functional.harness import databases

ROOT = Path(__file__).parents[3]
SHIPPED_CONFIG = ROOT / 'etc' / 'pileus'


def free_port(host: str = '127.0.0.1') -> int:
    """Return a TCP port without a listener."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def config_dir(tmp_path: Path, types: Mapping[str, str] | None = None,
               conf: Mapping[str, Mapping[str, object]] | None = None,
               paste: str | None = None) -> Path:
    """Create a config directory with a free port and one worker.

    ``types`` maps names to the YAML of a type; the default is the shipped
    types. ``conf`` maps groups to options and overrides the options set here.
    ``paste`` is the text of another api-paste.ini.
    """
    directory = tmp_path / 'etc'
    (directory / 'resources.d').mkdir(parents=True)
    for ini in SHIPPED_CONFIG.glob('*.ini'):
        shutil.copy(ini, directory)
    if paste is not None:
        (directory / 'api-paste.ini').write_text(paste)
    if types is None:
        types = {path.stem: path.read_text()
                 for path in (SHIPPED_CONFIG / 'resources.d').glob('*.yaml')}
    for name, text in types.items():
        (directory / 'resources.d' / f'{name}.yaml').write_text(text)
    configure(directory, {'DEFAULT': {'state_path': tmp_path / 'state',
                                      'debug': True},
                          'api': {'bind_port': free_port(), 'workers': 1}})
    configure(directory, conf or {})
    connection = databases.create_chosen()
    if connection is not None and 'connection' not in (conf or {}).get(
            'database', {}):
        configure(directory, {'database': {'connection': connection}})
    return directory


def apply_types(directory: Path) -> None:
    """Apply the types of a config directory to its database, as an operator
    does before a start.

    SQLite needs no call: the start applies the types. Errors are ignored,
    because the start reports them.
    """
    if (options(directory, 'database').get('connection') or
            'sqlite').startswith('sqlite'):
        return
    with contextlib.suppress(StartError, DeclarationError, PlanRefused):
        schema.apply_configured(
            config_files.load(['--config-dir', str(directory)]))


def database(directory: Path) -> sa.Engine:
    """Return an engine on the database of a config directory."""
    state = directory.parent / 'state' / 'pileus.sqlite'
    return sa.create_engine(
        options(directory, 'database').get('connection') or
        f'sqlite:///{state}', poolclass=sa.NullPool)


def options(directory: Path, group: str) -> Mapping[str, str]:
    """Return the options of a group in its pileus.conf."""
    parser = configparser.RawConfigParser()
    parser.read(directory / 'pileus.conf')
    return parser[group] if parser.has_section(group) else {}


def configure(directory: Path,
              conf: Mapping[str, Mapping[str, object]]) -> None:
    """Set options in pileus.conf; its other options stay unchanged."""
    file = directory / 'pileus.conf'
    parser = configparser.RawConfigParser()
    parser.read(file)
    for group, values in conf.items():
        if group != 'DEFAULT' and not parser.has_section(group):
            parser.add_section(group)
        for name, value in values.items():
            parser.set(group, name, str(value))
    with file.open('w') as output:
        parser.write(output)
