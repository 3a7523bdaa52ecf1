# SPDX-License-Identifier: Apache-2.0
"""The service allows, denies and hides what the printed matrix says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import service
from api import table
from api.commands import matrix
from api.commands.matrix import PERSONAS, Persona
from api.policy.enforcement import Policy
from api.request.microversions import Versions
from service.config import files as config_files
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import Catalogue
from service.errors import StartError
from tests.functional.harness import policy_matrix
from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application
from tests.functional.harness.policy_matrix import Matrix, SendRequest


def persona_headers(persona: Persona) -> dict[str, str]:
    """Return the headers of a persona for a service with noauth."""
    headers = {'X-Roles': persona.role, 'X-Project-Id': persona.project or ''}
    if persona.system:
        headers['OpenStack-System-Scope'] = persona.system
    return headers


HEADERS = {persona.name: persona_headers(persona) for persona in PERSONAS}

#: Rules that differ from the defaults.
RULES = '''
"pileus:hosts:show": "role:reader"
"pileus:hosts:patch": "role:reader or role:service"
"pileus:hosts:delete": "role:reader or role:member"
"pileus:hosts:update_tags": "role:admin"
"pileus:hosts:show_metadata": "!"
"pileus:hosts:revert": "role:manager"
"pileus:hosts:retire": "role:reader"
"pileus:racks:create": "role:manager"
"pileus:racks:list": "@"
"pileus:maintenances:create_any": "role:member or role:admin"
"pileus:quotas:show": "role:manager"
'''


ADMIN_HEADERS = {'X-Roles': 'admin,manager,member,reader',
                 'X-Project-Id': matrix.OWN_PROJECT}


def build_matrix(directory: Path, request: SendRequest) -> Matrix:
    return Matrix(directory, request, HEADERS, ADMIN_HEADERS,
                  matrix.OWN_PROJECT, matrix.OTHER_PROJECT)


def test_the_service_answers_as_the_matrix_says(daemon: Daemon):
    """A03: the default rules, for each rule, persona and route."""
    built = build_matrix(daemon.directory, daemon.request)
    assert len(built.rows) > 40
    mismatches = '\n'.join(built.mismatches())
    assert mismatches == ''


@pytest.fixture
def custom_directory(tmp_path: Path) -> Path:
    """A config directory with rules of the operator."""
    directory = config_dir(tmp_path / 'ruled')
    (directory / 'policy.yaml').write_text(RULES)
    return directory


def test_the_service_answers_as_the_matrix_of_custom_rules_says(
        custom_directory: Path):
    """A03: the rules of an operator, for each rule, persona and route."""
    built = build_matrix(custom_directory,
                         Application(custom_directory).request)
    mismatches = '\n'.join(built.mismatches())
    assert mismatches == ''


def test_the_comparison_finds_each_rule_that_differs(application: Application,
                                                     custom_directory: Path):
    """This shows that the comparison can fail."""
    mismatches = '\n'.join(build_matrix(custom_directory,
                                        application.request).mismatches())
    for rule in yaml.safe_load(RULES):
        assert f'{rule}: ' in mismatches, rule


def test_the_rule_of_every_route_has_a_row(tmp_path: Path):
    """A03: the matrix leaves out no rule of a route."""
    directory = config_dir(tmp_path)
    rules = {row['rule'] for row in policy_matrix.printed_matrix(directory)}
    for route in policy_matrix.routes(directory):
        assert not route.rule or route.rule in rules, route


def test_options_answers_all_personas_alike(tmp_path: Path):
    """A03: OPTIONS of every path gets 204 for each persona."""
    directory = config_dir(tmp_path)
    built = build_matrix(directory, Application(directory).request)
    assert built.options_mismatches() == []


def test_a_route_with_an_undefined_rule_stops_the_start(tmp_path):
    """A03"""
    conf = config_files.load(['--config-dir', str(config_dir(tmp_path))])
    rules = Policy(conf, Catalogue({}))
    opened = service.open(conf)
    with pytest.raises(StartError, match='^GET /hosts: the policy rule '
                                         'pileus:hosts:list is not defined$'):
        table.api(conf, opened, rules, Versions('pileus', FIRST_VERSION), [])
