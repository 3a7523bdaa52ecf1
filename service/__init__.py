# SPDX-License-Identifier: Apache-2.0
"""Pileus without HTTP: configuration, types and the storage of records.

The functions import what they need when they are called: a worker patches the
standard library for eventlet before it imports anything else (D3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config.cfg import ConfigOpts

    from service.assembly import Service
    from service.domain.catalogue.types import Catalogue


def catalogue(conf: ConfigOpts) -> Catalogue:
    """Return the types that ``[api] types_dir`` declares; uses no database.

    Raises StartError if the directory does not exist, and DeclarationError
    with every mistake in its files.
    """
    from service.config import files as config_files
    from service.domain.typefiles import type_files
    return type_files.read(config_files.find(conf, 'api', 'types_dir'))


def open(conf: ConfigOpts, *, use_applied: bool = False,
         read_only: bool = False) -> Service:
    """Open the database and load the types to serve.

    With ``use_applied`` the type files are not read. A replacement worker
    instead loads the types that the other workers serve, from the database.
    With ``read_only`` nothing in the database changes.

    Raises StartError or DeclarationError if the configuration, the type files
    or the database prevent a start.
    """
    from service import assembly
    return assembly.open_service(
        conf, None if use_applied else catalogue(conf), read_only=read_only)
