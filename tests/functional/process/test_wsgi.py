# SPDX-License-Identifier: Apache-2.0
"""The same application under another WSGI server, without eventlet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.functional.harness.daemon import (
    ROOT,
    Gunicorn,
    config_dir,
    configure,
)
from tests.functional.process import apps
from tests.functional.process.load import Load

#: Imports the module without loading the application, then serves a request.
SCRIPT = """
import sys
from wsgiref.util import setup_testing_defaults
from service import wsgi
assert not hasattr(wsgi.application, 'urlmap')
answer = []
environ = {'SCRIPT_NAME': '', 'PATH_INFO': sys.argv[1]}
setup_testing_defaults(environ)
body = wsgi.application(environ, lambda status, headers, exc_info=None:
                        answer.append(status))
print(answer[0], b''.join(body).decode(), 'eventlet' in sys.modules,
      wsgi.build() is wsgi.build())
"""


def ask(directory: Path, path: str = '/'
        ) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-c', SCRIPT, path], capture_output=True, text=True,
        timeout=60, env={**os.environ, 'PYTHONPATH': str(ROOT),
                         'OS_PILEUS_CONFIG_DIR': str(directory)})


def test_the_module_serves_the_config_directory(tmp_path: Path) -> None:
    done = ask(config_dir(tmp_path, {}, paste=apps.paste()))
    assert done.stdout.startswith('200 OK first '), done.stderr
    assert done.stdout.endswith('GET False True\n')


def test_a_list_from_the_database_needs_no_eventlet(tmp_path: Path) -> None:
    done = ask(config_dir(tmp_path), '/v1/racks')
    assert done.stdout.startswith('200 OK {"racks":[]'), done.stderr
    assert done.stdout.endswith(' False True\n')


def test_the_error_names_what_prevents_a_start(tmp_path: Path) -> None:
    directory = config_dir(tmp_path, {}, paste=apps.paste())
    configure(directory, {'api': {'app': 'nosuch'}})
    done = ask(directory)
    assert done.returncode != 0
    assert 'StartError: ' in done.stdout + done.stderr
    assert "'nosuch'" in done.stdout + done.stderr


def test_gunicorn_serves_it_with_threads(tmp_path: Path) -> None:
    directory = config_dir(tmp_path, {}, paste=apps.paste())
    with Gunicorn(directory, env={'PYTHONPATH': str(ROOT)}) as server:
        with Load(server, clients=4) as load:
            load.wait_for(100)
        assert load.failures == []
        assert server.stop() == 0
