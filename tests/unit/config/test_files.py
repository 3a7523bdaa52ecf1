# SPDX-License-Identifier: Apache-2.0
"""The configuration: where it is found, and how mistakes are reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.config import files as config_files
from service.errors import StartError

Complain = Callable[..., str]


@pytest.fixture
def complaint_about(tmp_path: Path) -> Complain:
    """Return the error for a pileus.conf with this text."""
    def complain(text: str, *words: str) -> str:
        (tmp_path / 'pileus.conf').write_text(text, encoding='latin-1')
        with pytest.raises(StartError) as caught:
            config_files.load(['--config-dir', str(tmp_path), *words])
        return str(caught.value).replace(f'{tmp_path}/', '')
    return complain


@pytest.mark.parametrize('text, complaint', [
    ('[api]\nbind_port = 99999\n',
     'pileus.conf: [api] bind_port = 99999: Should be less than or equal to '
     '65535'),
    ('[api]\nauth_strategy = foo\n',
     'pileus.conf: [api] auth_strategy = foo: Valid values are '),
    ('[api]\nworkers = many\n',
     "pileus.conf: [api] workers = many: invalid literal for int() with base "
     "10: 'many'; give a whole number"),
    ('[DEFAULT]\ndebug = 7\n',
     'pileus.conf: [DEFAULT] debug = 7: Invalid Boolean value: 7; give true '
     'or false'),
    ('[api]\ninsecure_noauth_bind = maybe\n',
     'pileus.conf: [api] insecure_noauth_bind = maybe: '),
    ('[database]\nmax_pool_size = big\n',
     'pileus.conf: [database] max_pool_size = big: '),
    ('[api]\napp = $nosuch\n',
     'pileus.conf: [api] app = $nosuch: no such option nosuch'),
    ('[api]\nunix_socket_mode = 0888\n',
     'pileus.conf: [api] unix_socket_mode = 0888: '),
])
def test_an_invalid_value_is_reported_with_file_and_option(
        complaint_about: Complain, text: str, complaint: str) -> None:
    assert complaint_about(text).startswith(complaint)


def test_the_file_that_is_read_last_is_reported(
        complaint_about: Complain, tmp_path: Path) -> None:
    (tmp_path / 'zz.conf').write_text('[api]\nbind_port = 77777\n')
    assert complaint_about('[api]\nbind_port = 1\n').startswith(
        'zz.conf: [api] bind_port = 77777: ')


def test_an_invalid_environment_variable_is_named(
        complaint_about: Complain, monkeypatch: pytest.MonkeyPatch
        ) -> None:
    monkeypatch.setenv('OS_API__BIND_PORT', '-1')
    assert complaint_about('').startswith(
        'OS_API__BIND_PORT: [api] bind_port = -1: ')


@pytest.mark.parametrize('text', ['[api\n', 'x = 1\n', '[api]\nbind_port\n'])
def test_a_file_that_cannot_be_parsed_is_reported_with_its_line(
        complaint_about: Complain, text: str) -> None:
    complaint = complaint_about(text)
    assert complaint.startswith('Failed to parse pileus.conf')
    assert f'pileus.conf:{text.count(chr(10))}' in complaint
    assert '\n' not in complaint


def test_a_file_that_is_not_utf_8_is_named(complaint_about: Complain) -> None:
    assert complaint_about('[api]\napp = \xff\n') == \
        'pileus.conf: cannot be read: not UTF-8 text (byte 12)'


def test_a_directory_given_as_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match='cannot be read: Is a directory'):
        config_files.load(['--config-file', str(tmp_path)])


@pytest.mark.parametrize('words', [['--config-dir', '/nosuch'],
                                   ['--config-file', '/nosuch']])
def test_a_missing_path_is_named(words: list[str]) -> None:
    with pytest.raises(StartError, match='/nosuch'):
        config_files.load(words)


def test_a_start_without_a_config_directory_is_refused(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(config_files.ENVIRONMENT, raising=False)
    monkeypatch.setattr(config_files, 'SEARCH_DIRECTORIES',
                        (str(tmp_path / 'nosuch'),))
    with pytest.raises(StartError, match='no config directory: give '
                       '--config-dir, set OS_PILEUS'):
        config_files.load([])


def test_the_environment_names_the_directory(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'pileus.conf').write_text('[api]\napp = other\n')
    monkeypatch.setenv(config_files.ENVIRONMENT, str(tmp_path))
    assert config_files.load([]).api.app == 'other'


def test_paste_values_lead_to_the_same_configuration(tmp_path: Path) -> None:
    (tmp_path / 'one.d').mkdir()
    (tmp_path / 'one.d' / 'a.conf').write_text('[api]\napp = other\n')
    (tmp_path / 'two.conf').write_text('[api]\nmax_limit = 7\n')
    first = config_files.load(['--config-dir', str(tmp_path / 'one.d'),
                               '--config-file', str(tmp_path / 'two.conf')])
    again = config_files.from_paste(config_files.to_paste(first))
    assert (again.api.app, again.api.max_limit) == ('other', 7)
