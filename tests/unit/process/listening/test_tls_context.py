# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError
from service.process.listening import tls_context


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    return config_files.load(['--config-dir', str(tmp_path)])


def key(directory: Path, name: str, *words: str) -> Path:
    """Return a PEM file with a key and its self-signed certificate."""
    path = directory / name
    done = subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:prime256v1', '-subj', '/CN=a', '-keyout', '-',
         *(words or ['-nodes'])], check=True, capture_output=True, timeout=60)
    path.write_bytes(done.stdout)
    return path


def test_without_a_certificate_there_is_no_tls(conf: cfg.ConfigOpts) -> None:
    assert tls_context.context(conf) is None


def test_tls_1_2_is_the_minimum(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    conf.set_override('cert_file', str(key(tmp_path, 'a.pem')), 'ssl')
    context = tls_context.context(conf)
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_ca_file_makes_client_certificates_mandatory(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    path = str(key(tmp_path, 'a.pem'))
    conf.set_override('cert_file', path, 'ssl')
    conf.set_override('ca_file', path, 'ssl')
    context = tls_context.context(conf)
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize('option', ['key_file', 'ca_file'])
def test_a_key_or_an_authority_without_a_certificate_is_refused(
        conf: cfg.ConfigOpts, option: str) -> None:
    conf.set_override(option, '/some.pem', 'ssl')
    with pytest.raises(StartError, match=rf'\[ssl\] {option} = /some.pem: '
                                         'without cert_file'):
        tls_context.context(conf)


@pytest.mark.parametrize('option', ['cert_file', 'key_file', 'ca_file'])
def test_the_error_names_a_missing_file(
        conf: cfg.ConfigOpts, tmp_path: Path, option: str) -> None:
    path = str(key(tmp_path, 'a.pem'))
    for name in ('cert_file', 'key_file', 'ca_file'):
        conf.set_override(name, path, 'ssl')
    conf.set_override(option, '/nosuch.pem', 'ssl')
    with pytest.raises(StartError, match=rf'\[ssl\] {option} = /nosuch.pem: '
                                         'no such file'):
        tls_context.context(conf)


def test_relative_names_are_looked_up_in_the_config_directory(
        conf: cfg.ConfigOpts, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    key(tmp_path, 'a.pem')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for option in ('cert_file', 'key_file', 'ca_file'):
        conf.set_override(option, 'a.pem', 'ssl')
    context = tls_context.context(conf)
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_key_of_another_certificate_is_refused(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    conf.set_override('cert_file', str(key(tmp_path, 'a.pem')), 'ssl')
    conf.set_override('key_file', str(key(tmp_path, 'b.pem')), 'ssl')
    with pytest.raises(StartError, match='not a PEM certificate and its '
                                         'private key'):
        tls_context.context(conf)


def test_a_file_without_a_certificate_is_refused(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    junk = tmp_path / 'junk.pem'
    junk.write_text('junk')
    conf.set_override('cert_file', str(junk), 'ssl')
    with pytest.raises(StartError, match='not a PEM certificate'):
        tls_context.context(conf)
    conf.set_override('cert_file', str(key(tmp_path, 'a.pem')), 'ssl')
    conf.set_override('ca_file', str(junk), 'ssl')
    with pytest.raises(StartError, match=r'\[ssl\] ca_file = .*junk.pem'):
        tls_context.context(conf)


def test_an_encrypted_key_is_refused_without_a_prompt(
        conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    path = key(tmp_path, 'a.pem', '-passout', 'pass:secret')
    conf.set_override('cert_file', str(path), 'ssl')
    with pytest.raises(StartError, match='encrypted with a passphrase'):
        tls_context.context(conf)
