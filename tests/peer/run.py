# SPDX-License-Identifier: Apache-2.0
"""Run the tests of ``eventlet.wsgi`` against our server.

They come only with eventlet's source distribution. It is fetched from the
package index in the version that is installed, unpacked in a temporary
folder, and never kept.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def fetch(folder: pathlib.Path) -> pathlib.Path:
    """The unpacked source distribution of the eventlet that is installed."""
    subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
         '--no-binary', ':all:', '--dest', folder,
         f'eventlet=={metadata.version("eventlet")}'], check=True)
    archive = next(folder.glob('eventlet-*.tar.gz'))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter='data')
    return archive.with_name(archive.name.removesuffix('.tar.gz'))


def run(source: pathlib.Path, arguments: list[str]) -> int:
    """The exit status of pytest, with our server in place of theirs."""
    paths = os.pathsep.join((str(ROOT), str(HERE)))
    environ = {**os.environ, 'EVENTLET_TESTS': '1', 'PYTHONPATH': paths}
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'pytest', 'tests/wsgi_test.py',
         '-q', '-p', 'no:cacheprovider', '-p', 'in_place', '--timeout', '20',
         *arguments], cwd=source, env=environ, check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return run(fetch(pathlib.Path(folder)), sys.argv[1:])


if __name__ == '__main__':
    sys.exit(main())
