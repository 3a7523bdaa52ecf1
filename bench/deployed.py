# SPDX-License-Identifier: Apache-2.0
"""A configuration with the shipped types on any database, for benchmarks.

The type files are those in ``etc/pileus``, without their quotas.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator

from bench.serve import ROOT

SHIPPED = ROOT / 'etc' / 'pileus'


@contextlib.contextmanager
def config_dir(database: str, **api: object) -> Iterator[pathlib.Path]:
    """Yield a config directory for this database, with all tables created."""
    from service.commands import schema
    from service.config import files as config_files
    with tempfile.TemporaryDirectory(prefix='pileus-bench-') as name:
        directory = pathlib.Path(name)
        (directory / 'resources.d').mkdir()
        for ini in SHIPPED.glob('*.ini'):
            shutil.copy(ini, directory)
        for file in (SHIPPED / 'resources.d').glob('*.yaml'):
            (directory / 'resources.d' / file.name).write_text(
                re.sub(r'(?m)^quota: .*\n', '', file.read_text()))
        options = ''.join(f'{option} = {value}\n'
                          for option, value in api.items())
        (directory / 'pileus.conf').write_text(
            f'[DEFAULT]\nstate_path = {directory}/state\n'
            f'[database]\nconnection = {database}\n[api]\n{options}')
        schema.apply_configured(config_files.load(['--config-dir', name]))
        yield directory
