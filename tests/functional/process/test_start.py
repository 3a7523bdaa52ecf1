# SPDX-License-Identifier: Apache-2.0
"""The start of the daemon, and the error if it cannot start."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, configure
from tests.functional.process import apps
from tests.functional.process.conftest import Served
from tests.functional.process.load import Load


def refusal_of(daemon: Daemon) -> str:
    """Start the daemon, which fails; return its one line of error."""
    daemon.launch()
    assert daemon.wait_for_exit() == 1, daemon.output
    errors = [line for line in daemon.output.splitlines()
              if line.startswith('pileus-api: ')]
    assert len(errors) == 1, daemon.output
    return errors[0]


def again(daemon: Daemon, *words: str) -> Daemon:
    """Return a second daemon with the same configuration."""
    return Daemon(daemon.directory, *words, env=daemon.env)


def test_a_start_serves_the_configured_application(serve: Served) -> None:
    daemon = serve()
    reply = daemon.request('GET', '/')
    assert reply.status == 200
    assert reply.body.decode() == f'first {daemon.workers()[0]} GET'
    assert daemon.stop() == 0
    assert 'Eventlet is deprecated' not in daemon.output


def test_every_configured_worker_serves(serve: Served) -> None:
    daemon = serve(workers=3)
    with Load(daemon, clients=8) as load:
        load.wait_for_answers(3)
    assert load.failures == []


def option(daemon: Daemon) -> None:
    configure(daemon.directory, {'api': {'bind_port': 99999}})


def database(daemon: Daemon) -> None:
    configure(daemon.directory, {'database': {'max_pool_size': 'many'}})


def no_paste(daemon: Daemon) -> None:
    (daemon.directory / 'api-paste.ini').unlink()


def broken_paste(daemon: Daemon) -> None:
    (daemon.directory / 'api-paste.ini').write_text('pipeline = x\n')


def app_name(daemon: Daemon) -> None:
    configure(daemon.directory, {'api': {'app': 'nosuch'}})


def import_error(daemon: Daemon) -> None:
    text = apps.paste().replace('tests.functional', 'tests.nosuch')
    (daemon.directory / 'api-paste.ini').write_text(text)


def factory_raises(daemon: Daemon) -> None:
    text = apps.paste().replace('word = first', 'words = first')
    (daemon.directory / 'api-paste.ini').write_text(text)


def unknown_filter(daemon: Daemon) -> None:
    text = apps.paste().replace('app:pileus', 'app:first')
    (daemon.directory / 'api-paste.ini').write_text(
        f'{text}\n[pipeline:pileus]\npipeline = nosuch first\n')


def no_certificate(daemon: Daemon) -> None:
    configure(daemon.directory, {'ssl': {'cert_file': '/nosuch.pem'}})


def address(daemon: Daemon) -> None:
    configure(daemon.directory, {'api': {'bind_host': '0.0.0.0'}})


@pytest.mark.parametrize('spoil, parts', [
    # Each part must occur in the error.
    (option, ['pileus.conf: [api] bind_port = 99999: Should be less than']),
    (database, ['pileus.conf: [database] max_pool_size = many',
                'give a whole number']),
    (no_paste, ['[api] paste_config = api-paste.ini: no such file']),
    (broken_paste, ['api-paste.ini', 'no section headers', 'pipeline = x']),
    (app_name, ['api-paste.ini', "'nosuch'"]),
    (import_error, ['api-paste.ini', '"pileus"', 'cannot import',
                    'tests.nosuch']),
    (factory_raises, ['api-paste.ini', '"pileus"', 'TypeError', "'words'"]),
    (unknown_filter, ['api-paste.ini', '"pileus"', "'nosuch'"]),
    (no_certificate, ['[ssl] cert_file = /nosuch.pem: no such file']),
    (address, ['[api] bind_host = 0.0.0.0', 'noauth',
               'insecure_noauth_bind = true']),
])
def test_a_start_that_fails_reports_why(
        prepared: Served, tmp_path: Path,
        spoil: Callable[[Daemon], None], parts: list[str]) -> None:
    """S05: with one line on stderr and in the log."""
    log = tmp_path / 'pileus.log'
    daemon = prepared('--log-file', str(log))
    spoil(daemon)
    text = refusal_of(daemon)
    assert [part for part in parts if part not in text] == []
    logged = [line for line in log.read_text().splitlines()
              if 'ERROR' in line]
    assert [line for line in logged
            if text.removeprefix('pileus-api: ') in line] == logged[-1:]
    assert len(logged) == 1
    assert 'Traceback' not in daemon.output + log.read_text()


def test_debug_adds_the_traceback(prepared: Served) -> None:
    daemon = prepared('--debug')
    import_error(daemon)
    refusal_of(daemon)
    assert 'Traceback' in daemon.output
    assert 'ModuleNotFoundError' in daemon.output


def test_the_error_names_a_port_in_use(prepared: Served) -> None:
    """S07: a second service on the port ends; the first continues."""
    daemon = prepared()
    with socket.create_server((daemon.host, daemon.port)):
        text = refusal_of(daemon)
    assert f'bind_port = {daemon.port}: Address already in use' in text


def test_the_error_names_a_log_file_that_cannot_be_written(
        prepared: Served) -> None:
    text = refusal_of(prepared('--log-file', '/nosuch/pileus.log'))
    assert '/nosuch/pileus.log: No such file or directory' in text


def test_a_start_without_any_config_directory_is_refused(
        prepared: Served, tmp_path: Path) -> None:
    daemon = prepared(env={'HOME': str(tmp_path)})
    del daemon.argv[1:]
    assert 'give --config-dir, set OS_PILEUS_CONFIG_DIR' in refusal_of(daemon)


def test_a_worker_that_crashes_while_loading_is_restarted_a_few_times(
        prepared: Served) -> None:
    """S07: with growing pauses, until the service gives up."""
    daemon = prepared(paste=apps.paste().replace(':factory', ':crash'))
    text = refusal_of(daemon)
    assert 'was killed by SIGKILL while it was starting' in text
    assert daemon.output.count('another worker starts in') == 5
    assert 'another worker starts in 2.0 seconds' in daemon.output


def test_clients_are_refused_while_the_service_is_loading(
        prepared: Served) -> None:
    """S05: connections are refused until the application is loaded."""
    daemon = prepared(paste=apps.paste().replace(':factory', ':waits'))
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        probe.listen()
        configure(daemon.directory, {'api': {'app': 'pileus'}})
        paste = daemon.directory / 'api-paste.ini'
        paste.write_text(paste.read_text().replace(
            'first', str(probe.getsockname()[1])))
        daemon.launch()
        loading, _ = probe.accept()
        with loading:
            with pytest.raises(ConnectionRefusedError):
                daemon.connect()
            loading.sendall(b'go on')
        daemon.wait_for('READY=1')
        assert daemon.request('GET', '/').status == 200
        assert daemon.stop() == 0


def test_check_reports_a_valid_configuration(prepared: Served) -> None:
    """S05: also while a service uses the port."""
    daemon = prepared('--check')
    with socket.create_server((daemon.host, daemon.port)):
        daemon.launch()
        assert daemon.wait_for_exit() == 0
    assert (f'note: [api] bind_host = {daemon.host}, bind_port = '
            f'{daemon.port}: Address already in use') in daemon.output
    assert f'configuration is valid: {daemon.directory}' in daemon.output


@pytest.mark.parametrize(('options', 'refusal'), [
    ({'bind_host': '0.0.0.0'},
     'auth_strategy = noauth serves loopback addresses only'),
    ({'bind_host': 'nosuch.invalid', 'insecure_noauth_bind': True},
     'give an address or a name'),
    ({'bind_host': '192.0.2.1', 'insecure_noauth_bind': True},
     'Cannot assign requested address'),
    ({'unix_socket': '/nosuch/api.sock'}, 'No such file or directory'),
    ({'unix_socket': f'/tmp/{"x" * 120}'}, 'AF_UNIX path too long'),
    ({'unix_socket': __file__}, 'the file exists and is not a socket')])
def test_check_refuses_an_address_as_a_start_does(
        prepared: Served, options: dict[str, object], refusal: str) -> None:
    """S05: with the same error text."""
    check = prepared('--check')
    configure(check.directory, {'api': options})
    line = refusal_of(check)
    assert refusal in line
    assert refusal_of(again(check)) == line


def test_check_refuses_a_pid_file_as_a_start_does(prepared: Served) -> None:
    """S05: and creates no pid file if it could."""
    check = prepared('--check', '--pid-file', '/nosuch/api.pid')
    line = refusal_of(check)
    assert 'No such file or directory' in line
    assert refusal_of(again(check, '--pid-file', '/nosuch/api.pid')) == line
    path = check.directory.parent / 'api.pid'
    valid = again(check, '--check', '--pid-file', str(path))
    valid.launch()
    assert valid.wait_for_exit() == 0
    assert not path.exists()


def test_check_reports_what_is_invalid(prepared: Served) -> None:
    """S05"""
    daemon = prepared('--check')
    import_error(daemon)
    assert 'cannot import' in refusal_of(daemon)


def test_debug_lines_trace_the_start(serve: Served) -> None:
    daemon = serve('--debug')
    assert 'loading the app "pileus" of' in daemon.output
    assert 'building the entry "pileus"' in daemon.output


def test_sigterm_ends_a_service_that_is_loading(prepared: Served) -> None:
    daemon = prepared(paste=apps.paste().replace(':factory', ':waits'))
    with socket.create_server(('127.0.0.1', 0)) as probe:
        paste = daemon.directory / 'api-paste.ini'
        paste.write_text(paste.read_text().replace(
            'first', str(probe.getsockname()[1])))
        daemon.launch()
        loading, _ = probe.accept()
        with loading:
            daemon.send(signal.SIGTERM)
            assert daemon.wait_for_exit() == 0
