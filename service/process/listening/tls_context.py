# SPDX-License-Identifier: Apache-2.0
"""The TLS context from the options of ``[ssl]``, for TLS 1.2 and later."""

from __future__ import annotations

import ssl

from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError


def context(conf: cfg.ConfigOpts) -> ssl.SSLContext | None:
    """Return the TLS context of the listeners; None without ``cert_file``.

    Raises StartError that names the invalid option and its file.
    """
    if not conf.ssl.cert_file:
        _refuse_without_certificate(conf)
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(['http/1.1'])
    cert = _file(conf, 'cert_file')
    _load_certificate(tls, cert, _file(conf, 'key_file') or cert)
    authorities = _file(conf, 'ca_file')
    if authorities:
        _require_client_certificate(tls, authorities)
    return tls


def _refuse_without_certificate(conf: cfg.ConfigOpts) -> None:
    """Raise StartError if a key or an authority is set without certificate.

    The service would serve plain HTTP, which the operator does not expect.
    """
    for name in ('key_file', 'ca_file'):
        if conf.ssl[name]:
            raise StartError(f'[ssl] {name} = {conf.ssl[name]}: without '
                             'cert_file there is no TLS; set cert_file too, '
                             f'or remove {name}')


def _file(conf: cfg.ConfigOpts, name: str) -> str:
    """Return the path of a file option, or '' if the option is not set.

    Relative names are looked up in the configuration directories. The file is
    opened once, because the ssl module names no file in its errors.
    """
    if not conf.ssl[name]:
        return ''
    path = config_files.find(conf, 'ssl', name)
    try:
        with open(path, 'rb'):
            return path
    except OSError as exc:
        raise StartError(
            f'[ssl] {name} = {path}: {exc.strerror}') from exc


def _load_certificate(tls: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        tls.load_cert_chain(cert, key, password=_no_passphrase)
    except ssl.SSLError as exc:
        raise StartError(
            f'[ssl] cert_file = {cert}, key_file = {key}: not a PEM '
            f'certificate and its private key ({exc.reason})'
        ) from exc


def _no_passphrase() -> str:
    """Refuse an encrypted key; OpenSSL would ask for it on the terminal."""
    raise StartError('[ssl] key_file: the key is encrypted with a '
                     'passphrase; store it without a passphrase')


def _require_client_certificate(tls: ssl.SSLContext, authorities: str,
                                ) -> None:
    try:
        tls.load_verify_locations(authorities)
    except ssl.SSLError as exc:
        raise StartError(f'[ssl] ca_file = {authorities}: contains no PEM '
                         f'certificate ({exc.reason})') from exc
    tls.verify_mode = ssl.CERT_REQUIRED
