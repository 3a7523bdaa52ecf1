# SPDX-License-Identifier: Apache-2.0
"""Run the tests of ``eventlet.wsgi`` against our server.

They come only with eventlet's source distribution. It is fetched from the
package index in the version that is installed, unpacked in a temporary
folder, and never kept. Where no index can be reached the run is skipped, and
says so.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib import metadata

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


#: pip says this of an index that it cannot reach; of one that it can, it
#: lists the versions that are there instead.
UNREACHABLE = '(from versions: none)'

#: In the shape of pytest's last line, by which a reader looks for results.
SKIPPED = ('===== 1 skipped: no package index to fetch the source of {} '
           'from in {:.2f}s =====')


def wanted() -> str:
    """The eventlet that is installed, as pip names it."""
    return f'eventlet=={metadata.version("eventlet")}'


def fetch(folder: pathlib.Path) -> pathlib.Path | None:
    """The unpacked source distribution; None if no index can be reached.

    An index that is there and lacks it is a failure: a mistake in a version
    must not pass for a machine without a network.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
         '--no-binary', 'eventlet', '--retries', '1', '--timeout', '15',
         '--dest', folder, wanted()],
        stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return unpacked(next(folder.glob('eventlet-*.tar.gz')))
    if UNREACHABLE in done.stderr:
        return None
    sys.exit(done.stderr)


def unpacked(archive: pathlib.Path) -> pathlib.Path:
    with tarfile.open(archive) as packed:
        packed.extractall(archive.parent, filter='data')
    return archive.with_name(archive.name.removesuffix('.tar.gz'))


def run(source: pathlib.Path, arguments: list[str]) -> int:
    """The exit status of pytest, with our server in place of theirs."""
    paths = os.pathsep.join((str(ROOT), str(HERE)))
    environ = {**os.environ, 'EVENTLET_TESTS': '1', 'PYTHONPATH': paths}
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'pytest', 'tests/wsgi_test.py',
         '-p', 'no:cacheprovider', '-p', 'in_place', '--timeout', '20',
         *arguments], cwd=source, env=environ, check=False).returncode


def main() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        source = fetch(pathlib.Path(folder))
        if source is not None:
            return run(source, sys.argv[1:])
    print(SKIPPED.format(wanted(), time.monotonic() - started))
    return 0


if __name__ == '__main__':
    sys.exit(main())
