# SPDX-License-Identifier: Apache-2.0
"""pileus-manage openapi show: print the OpenAPI document of the API."""

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
    """Print the OpenAPI document of one version, by default the newest."""
    conf = configuration(arguments)
    catalogue = type_files.read(config_files.find(conf, 'api', 'types_dir'))
    extended = extensions.load(catalogue)
    newest = max(FIRST_VERSION, catalogue.maximum,
                 *(extension.maximum for extension in extended))
    version = arguments.version or newest
    if not FIRST_VERSION <= version <= newest:
        raise StartError(f'--version {version}: unsupported; valid are '
                         f'{FIRST_VERSION} to {newest}')
    openapi = OpenAPI(table.routes(catalogue, extended), extended,
                      conf.api.service_type)
    print(json.dumps(openapi.document(version, arguments.url), indent=2))
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--version', type=Version.parse, metavar='X.Y',
                        help='the microversion (default: the newest)')
    parser.add_argument('--url', default='http://127.0.0.1:8088/v1',
                        help='URL of the API (default: %(default)s)')


COMMAND = Command(
    ('openapi', 'show'),
    'Print the API as an OpenAPI 3.1 document.', show, _add_arguments)
