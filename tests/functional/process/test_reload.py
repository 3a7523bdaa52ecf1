# SPDX-License-Identifier: Apache-2.0
"""SIGHUP loads a new configuration, without a failed request."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.harness.daemon import (
    ROOT,
    Daemon,
    config_dir,
    configure,
    free_port,
)
from tests.functional.process import apps
from tests.functional.process.conftest import Served
from tests.functional.process.load import Load


def change_word(daemon: Daemon, word: str) -> None:
    (daemon.directory / 'api-paste.ini').write_text(apps.paste(word))


def test_a_reload_under_load_fails_no_request(serve: Served) -> None:
    """S03: the old workers answer until the new ones do."""
    daemon = serve(workers=2)
    with Load(daemon) as load:
        load.wait_for_answers(2)
        before = daemon.workers()
        change_word(daemon, 'second')
        daemon.reload()
        load.wait_for(200)
    assert load.failures == []
    assert {body.split()[0] for body in load.answers} == {'first', 'second'}
    assert {int(body.split()[1]) for body in load.answers
            if body.startswith('second')}.isdisjoint(before)


def test_many_reloads_under_load_fail_no_request(serve: Served) -> None:
    """S03: signals during a reload lead to a single further reload."""
    daemon = serve()
    with Load(daemon, clients=2) as load:
        change_word(daemon, 'second')
        for _ in range(100):
            daemon.send(signal.SIGHUP)
            load.wait_for(1)
        daemon.wait_for('READY=1')
        daemon.wait_for('READY=1')
        load.wait_for(50)
    assert load.failures == []
    assert daemon.request('GET', '/').body.startswith(b'second')
    assert daemon.output.count('reloading the configuration') < 20
    assert daemon.stop() == 0


@pytest.fixture(scope='module')
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon for all refused reloads of this module."""
    directory = config_dir(tmp_path_factory.mktemp('steady'), {},
                           {'DEFAULT': {'debug': False}}, apps.paste())
    with Daemon(directory, env={'PYTHONPATH': str(ROOT)}) as daemon:
        yield daemon


def syntax(directory: Path) -> None:
    (directory / 'pileus.conf').write_text('[api]\nbind_port\n')


def value(directory: Path) -> None:
    configure(directory, {'api': {'max_limit': 'plenty'}})


def debug(directory: Path) -> None:
    configure(directory, {'DEFAULT': {'debug': 'notabool'}})


def missing(directory: Path) -> None:
    (directory / 'api-paste.ini').unlink()


def paste(directory: Path) -> None:
    (directory / 'api-paste.ini').write_text('[app:pileus\n')


def factory(directory: Path) -> None:
    (directory / 'api-paste.ini').write_text(
        apps.paste().replace(':factory', ':nosuch'))


def certificate(directory: Path) -> None:
    configure(directory, {'ssl': {'cert_file': '/nosuch.pem'}})


def address(directory: Path) -> None:
    configure(directory, {'api': {'bind_host': '192.0.2.1',
                                  'insecure_noauth_bind': True}})


@pytest.mark.parametrize('spoil, reason', [
    (syntax, 'pileus.conf:2'),
    (value, 'pileus.conf: [api] max_limit = plenty'),
    (debug, 'pileus.conf: [DEFAULT] debug = notabool'),
    (missing, '[api] paste_config = api-paste.ini: no such file'),
    (paste, 'api-paste.ini'),
    (factory, 'api-paste.ini: cannot load the app "pileus"'),
    (certificate, '[ssl] cert_file = /nosuch.pem: no such file'),
    (address, '[api] bind_host = 192.0.2.1'),
])
def test_an_invalid_file_leaves_the_previous_configuration_in_force(
        steady: Daemon, spoil: Callable[[Path], None], reason: str) -> None:
    """S04: one line in the log names the file, and the service goes on."""
    before, output = steady.request('GET', '/').body, steady.output
    files = {path: path.read_bytes()
             for path in steady.directory.glob('*.*') if path.is_file()}
    spoil(steady.directory)
    steady.reload()
    for path, content in files.items():
        path.write_bytes(content)
    assert steady.request('GET', '/').body == before
    added = steady.output.removeprefix(output)
    errors = [text for text in added.splitlines() if 'ERROR' in text]
    assert len(errors) == 1
    assert 'reload refused, the previous configuration stays in force' \
        in errors[0]
    assert reason in errors[0]
    assert 'StartError' not in errors[0]
    assert 'Traceback' not in added


def test_corrected_files_are_loaded_after_a_refused_reload(
        steady: Daemon) -> None:
    """S04"""
    paste(steady.directory)
    steady.reload()
    change_word(steady, 'second')
    steady.reload()
    assert steady.request('GET', '/').body.startswith(b'second')


def test_a_reload_moves_to_another_port(serve: Served) -> None:
    daemon = serve()
    before = daemon.port
    configure(daemon.directory, {'api': {'bind_port': free_port()}})
    daemon.reload()
    assert daemon.port != before
    assert daemon.request('GET', '/').status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((daemon.host, before))


def test_a_reload_changes_the_number_of_workers(serve: Served) -> None:
    daemon = serve()
    configure(daemon.directory, {'api': {'workers': 3}})
    daemon.reload()
    with Load(daemon, clients=8) as load:
        load.wait_for_answers(3)
    assert load.failures == []


def test_a_reload_opens_a_moved_log_file_again(
        serve: Served, tmp_path: Path) -> None:
    log = tmp_path / 'pileus.log'
    daemon = serve('--log-file', str(log))
    log.rename(tmp_path / 'pileus.log.1')
    daemon.reload()
    assert 'reloaded: serving on' in log.read_text()


def test_a_request_in_flight_is_finished_by_the_old_application(
        serve: Served) -> None:
    daemon = serve()
    with daemon.connect() as client:
        client.sendall(b'GET /stream?2 HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.recv(4096).startswith(b'HTTP/1.1 200')
        start = time.monotonic()
        daemon.reload()
        took = time.monotonic() - start
        text = b''
        while b'end\n' not in text:
            data = client.recv(4096)
            assert data, text
            text += data
    assert took < 2
