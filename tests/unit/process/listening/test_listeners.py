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


def test_a_bound_port_refuses_connections_until_it_listens(
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
def test_noauth_is_refused_on_other_addresses_than_loopback(
        conf: cfg.ConfigOpts, host: str) -> None:
    conf.set_override('bind_host', host, 'api')
    with pytest.raises(StartError, match='insecure_noauth_bind'):
        listeners.bind(conf)


@pytest.mark.parametrize('host', ['127.0.0.1', '127.9.9.9', 'localhost'])
def test_noauth_is_allowed_on_every_loopback_address(
        conf: cfg.ConfigOpts, host: str) -> None:
    conf.set_override('bind_host', host, 'api')
    conf.set_override('bind_port', 0, 'api')
    for listener in listeners.bind(conf):
        listener.close()


def test_insecure_noauth_bind_allows_all_addresses(
        conf: cfg.ConfigOpts) -> None:
    conf.set_override('bind_host', '0.0.0.0', 'api')
    conf.set_override('bind_port', 0, 'api')
    conf.set_override('insecure_noauth_bind', True, 'api')
    for listener in listeners.bind(conf):
        listener.close()


def test_the_error_names_a_host_that_does_not_resolve(
        conf: cfg.ConfigOpts) -> None:
    conf.set_override('bind_host', 'nosuch.invalid', 'api')
    conf.set_override('insecure_noauth_bind', True, 'api')
    with pytest.raises(StartError, match='bind_host = nosuch.invalid: '):
        listeners.bind(conf)


def test_the_error_names_a_socket_path_that_is_too_long(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    conf.set_override('unix_socket', str(tmp_path / ('x' * 108)), 'api')
    with pytest.raises(StartError, match='unix_socket = .*too long'):
        listeners.bind(conf)


def test_the_socket_file_of_a_newer_service_is_not_removed(
        conf: cfg.ConfigOpts, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 's'
    conf.set_override('unix_socket', 's', 'api')
    [old] = listeners.bind(conf)
    path.rename(tmp_path / 'moved')
    [new] = listeners.bind(conf)
    old.close()
    assert path.exists()
    new.close()
    assert not path.exists()


def test_sockets_for_another_process_are_ignored(
        conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch) -> None:
    conf.set_override('bind_port', 0, 'api')
    monkeypatch.setenv('LISTEN_PID', '1')
    monkeypatch.setenv('LISTEN_FDS', '1')
    [listener] = listeners.bind(conf)
    assert not listener.from_systemd
    listener.close()


def test_only_options_of_the_address_change_the_configured_address(
        conf: cfg.ConfigOpts) -> None:
    before = listeners.configured_address(conf)
    conf.set_override('backlog', 64, 'api')
    assert listeners.configured_address(conf) == before
    conf.set_override('bind_port', 1, 'api')
    assert listeners.configured_address(conf) != before
    conf.set_override('unix_socket', '/s', 'api')
    assert listeners.configured_address(conf) == ('unix', '/s')
