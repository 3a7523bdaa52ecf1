# SPDX-License-Identifier: Apache-2.0
"""Pileus without HTTP semantics.

Nothing is imported before a function is called: a worker patches the standard
library first (D3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config.cfg import ConfigOpts

    from service.assembly import Service
    from service.domain.catalogue.types import Catalogue


def catalogue(conf: ConfigOpts) -> Catalogue:
    """The types that ``[api] types_dir`` declares; no database is needed.

    Raises StartError where there is no such directory, DeclarationError with
    every mistake in its files.
    """
    from service.config import files as config_files
    from service.domain.typefiles import type_files
    return type_files.read(config_files.find(conf, 'api', 'types_dir'))


def open(conf: ConfigOpts, *, beside: bool = False,
         looking: bool = False) -> Service:
    """The one front door to the declared types and their records.

    ``beside`` others that serve already, it is opened on what they serve.
    Who is only ``looking`` gets what a start would serve, and changes nothing.
    Raises StartError or DeclarationError where the configuration, the type
    files or the database do not allow to serve.
    """
    from service import assembly
    return assembly.service(conf, None if beside else catalogue(conf),
                          looking=looking)
