# SPDX-License-Identifier: Apache-2.0
"""Run the tests of ``eventlet.wsgi`` against our server.

They are only in eventlet's source distribution. The run downloads it from the
package index, in the installed version, to a temporary directory. If no index
can be reached, the run is skipped with a message.
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


#: pip's error if it cannot reach an index; otherwise it lists the versions
#: that the index has.
UNREACHABLE = '(from versions: none)'

#: The message has the form of pytest's last line.
SKIPPED = ('===== 1 skipped: no package index to download {} from '
           'in {:.2f}s =====')


def requirement() -> str:
    """Return the requirement for the installed version of eventlet."""
    return f'eventlet=={metadata.version("eventlet")}'


def fetch(folder: pathlib.Path) -> pathlib.Path | None:
    """Return the unpacked source; None if no index can be reached.

    An index without this version is an error: a wrong version must not look
    like a machine without a network.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
         '--no-binary', 'eventlet', '--retries', '1', '--timeout', '15',
         '--dest', folder, requirement()],
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
    """Run pytest with our server in place of the peer's; return its status.
    """
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
    print(SKIPPED.format(requirement(), time.monotonic() - started))
    return 0


if __name__ == '__main__':
    sys.exit(main())
