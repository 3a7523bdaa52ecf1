# SPDX-License-Identifier: Apache-2.0
"""pileus-manage openapi show: the API as a document, without serving it."""

from __future__ import annotations

import argparse
import json

from api import table
from api.openapi.document import OpenAPI
from api.routing import extensions
from service.commands.cli.parser import Arguments, Command, configuration
from service.config import files as config_files
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.typefiles import type_files
from service.errors import StartError


def show(arguments: Arguments) -> int:
    """Print the OpenAPI document of a version, the newest unless one is
    named."""
    conf = configuration(arguments)
    catalogue = type_files.read(config_files.find(conf, 'api', 'types_dir'))
    extended = extensions.load(catalogue)
    newest = max(catalogue.maximum, *(one.maximum for one in extended),
                 FIRST_VERSION)
    version = arguments.version or newest
    if not FIRST_VERSION <= version <= newest:
        raise StartError(f'--version {version}: the declared types know '
                         f'{FIRST_VERSION} to {newest}')
    made = OpenAPI(table.routes(catalogue, extended), extended,
                   conf.api.service_type)
    print(json.dumps(made.document(version, arguments.url), indent=2))
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--version', type=Version.parse, metavar='X.Y',
                        help='the microversion (default: the newest)')
    parser.add_argument('--url', default='http://127.0.0.1:8088/v1',
                        help='where the API is reached (default: %(default)s)')


COMMAND = Command(
    ('openapi', 'show'),
    'Print the API as an OpenAPI 3.1 document.', show, _add_arguments)
