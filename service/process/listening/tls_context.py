# SPDX-License-Identifier: Apache-2.0
"""The TLS context of the ``[ssl]`` options: TLS 1.2 or later, or none."""

from __future__ import annotations

import ssl

from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError


def context(conf: cfg.ConfigOpts) -> ssl.SSLContext | None:
    """What the listeners speak TLS with, or None where they speak in clear.

    Raises StartError naming the option and the file that will not do.
    """
    if not conf.ssl.cert_file:
        _refuse_alone(conf)
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(['http/1.1'])
    cert = _file(conf, 'cert_file')
    _identify(made, cert, _file(conf, 'key_file') or cert)
    authorities = _file(conf, 'ca_file')
    if authorities:
        _require_client(made, authorities)
    return made


def _refuse_alone(conf: cfg.ConfigOpts) -> None:
    """A key or an authority without a certificate would serve plain HTTP."""
    for name in ('key_file', 'ca_file'):
        if conf.ssl[name]:
            raise StartError(f'[ssl] {name} = {conf.ssl[name]}: without '
                             'cert_file there is no TLS to use it for; name '
                             'a cert_file too')


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


def _identify(made: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        made.load_cert_chain(cert, key, password=_no_passphrase)
    except ssl.SSLError as exc:
        raise StartError(
            f'[ssl] cert_file = {cert}, key_file = {key}: no PEM certificate '
            f'with the private key that belongs to it ({exc.reason})'
        ) from exc


def _no_passphrase() -> str:
    """Refuse a locked key; without this OpenSSL asks on the terminal."""
    raise StartError('[ssl] key_file: the key is locked with a passphrase; '
                     'store it without one')


def _require_client(made: ssl.SSLContext, authorities: str) -> None:
    try:
        made.load_verify_locations(authorities)
    except ssl.SSLError as exc:
        raise StartError(f'[ssl] ca_file = {authorities}: no PEM '
                         f'certificate in it ({exc.reason})') from exc
    made.verify_mode = ssl.CERT_REQUIRED
