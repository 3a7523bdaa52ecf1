# SPDX-License-Identifier: Apache-2.0
"""The shipped types on a database of the caller's choice, for a benchmark.

The type files are those in ``etc/pileus`` without their quotas.
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
    """A config directory on this database, its tables as the types say."""
    from service.commands import schema
    from service.config import files as config_files
    with tempfile.TemporaryDirectory(prefix='pileus-bench-') as made:
        directory = pathlib.Path(made)
        (directory / 'resources.d').mkdir()
        for ini in SHIPPED.glob('*.ini'):
            shutil.copy(ini, directory)
        for file in (SHIPPED / 'resources.d').glob('*.yaml'):
            (directory / 'resources.d' / file.name).write_text(
                re.sub(r'(?m)^quota: .*\n', '', file.read_text()))
        options = ''.join(f'{name} = {value}\n'
                          for name, value in api.items())
        (directory / 'pileus.conf').write_text(
            f'[DEFAULT]\nstate_path = {directory}/state\n'
            f'[database]\nconnection = {database}\n[api]\n{options}')
        schema.apply_configured(config_files.load(['--config-dir', made]))
        yield directory
