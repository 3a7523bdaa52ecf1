# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from pathlib import Path

import pytest
from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError
from service.process.listening import listeners


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    return config_files.load(['--config-dir', str(tmp_path)])


def test_a_bound_port_refuses_until_somebody_listens(
        conf: cfg.ConfigOpts) -> None:
    conf.set_override('bind_port', 0, 'api')
    [listener] = listeners.bind(conf)
    address = listener.sock.getsockname()
    assert listener.name == f'127.0.0.1:{address[1]}'
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    listener.sock.listen()
    socket.create_connection(address).close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '192.0.2.1'])
def test_noauth_serves_this_machine_only(conf: cfg.ConfigOpts, host: str
                                         ) -> None:
    conf.set_override('bind_host', host, 'api')
    with pytest.raises(StartError, match='insecure_noauth_bind'):
        listeners.bind(conf)


@pytest.mark.parametrize('host', ['127.0.0.1', '127.9.9.9', 'localhost'])
def test_noauth_serves_every_name_of_this_machine(
        conf: cfg.ConfigOpts, host: str) -> None:
    conf.set_override('bind_host', host, 'api')
    conf.set_override('bind_port', 0, 'api')
    for listener in listeners.bind(conf):
        listener.close()


def test_who_says_that_it_is_meant_may_serve_all(conf: cfg.ConfigOpts
                                                 ) -> None:
    conf.set_override('bind_host', '0.0.0.0', 'api')
    conf.set_override('bind_port', 0, 'api')
    conf.set_override('insecure_noauth_bind', True, 'api')
    for listener in listeners.bind(conf):
        listener.close()


def test_a_host_that_does_not_resolve_is_named(conf: cfg.ConfigOpts) -> None:
    conf.set_override('bind_host', 'nosuch.invalid', 'api')
    conf.set_override('insecure_noauth_bind', True, 'api')
    with pytest.raises(StartError, match='bind_host = nosuch.invalid: '):
        listeners.bind(conf)


def test_a_socket_path_that_is_too_long_is_named(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    conf.set_override('unix_socket', str(tmp_path / ('x' * 108)), 'api')
    with pytest.raises(StartError, match='unix_socket = .*too long'):
        listeners.bind(conf)


def test_the_file_of_a_younger_service_stays(
        conf: cfg.ConfigOpts, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 's'
    conf.set_override('unix_socket', 's', 'api')
    [older] = listeners.bind(conf)
    path.rename(tmp_path / 'moved')
    [younger] = listeners.bind(conf)
    older.close()
    assert path.exists()
    younger.close()
    assert not path.exists()


def test_what_is_passed_to_another_process_is_not_taken(
        conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch) -> None:
    conf.set_override('bind_port', 0, 'api')
    monkeypatch.setenv('LISTEN_PID', '1')
    monkeypatch.setenv('LISTEN_FDS', '1')
    [listener] = listeners.bind(conf)
    assert not listener.from_systemd
    listener.close()


def test_only_another_address_is_another_wish(conf: cfg.ConfigOpts) -> None:
    before = listeners.configured_address(conf)
    conf.set_override('backlog', 64, 'api')
    assert listeners.configured_address(conf) == before
    conf.set_override('bind_port', 1, 'api')
    assert listeners.configured_address(conf) != before
    conf.set_override('unix_socket', '/s', 'api')
    assert listeners.configured_address(conf) == ('unix', '/s')
