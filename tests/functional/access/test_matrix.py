# SPDX-License-Identifier: Apache-2.0
"""Whoever may do what by the printed matrix may do it at the service, and
nobody else.
"""

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


def headers(persona: Persona) -> dict[str, str]:
    """How a persona is told to the service without authentication."""
    told = {'X-Roles': persona.role, 'X-Project-Id': persona.project or ''}
    if persona.system:
        told['OpenStack-System-Scope'] = persona.system
    return told


HEADERS = {one.name: headers(one) for one in PERSONAS}

#: Rules that are nobody's default, for a matrix that is not the usual one.
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


MAKER = {'X-Roles': 'admin,manager,member,reader',
         'X-Project-Id': matrix.OWN_PROJECT}


def asked(directory: Path, request: SendRequest) -> Matrix:
    return Matrix(directory, request, HEADERS, MAKER, matrix.OWN_PROJECT,
                  matrix.OTHER_PROJECT)


def test_every_cell_is_what_the_service_answers(daemon: Daemon):
    """A03: each rule, each persona, each route; by the default rules."""
    found = asked(daemon.directory, daemon.request)
    assert len(found.rows) > 40
    wrong = '\n'.join(found.mismatches())
    assert wrong == ''


@pytest.fixture
def ruled(tmp_path: Path) -> Path:
    """A config directory with rules of an operator's own."""
    directory = config_dir(tmp_path / 'ruled')
    (directory / 'policy.yaml').write_text(RULES)
    return directory


def test_also_by_rules_of_the_operators_own(ruled: Path):
    """A03"""
    wrong = '\n'.join(asked(ruled, Application(ruled).request).mismatches())
    assert wrong == ''


def test_a_service_by_other_rules_is_found_out(application: Application,
                                               ruled: Path):
    """The comparison itself can fail, at each rule that differs."""
    wrong = '\n'.join(asked(ruled, application.request).mismatches())
    for rule in yaml.safe_load(RULES):
        assert f'{rule}: ' in wrong, rule


def test_every_route_is_asked_for_by_some_row(tmp_path: Path):
    """A03: no rule is left out of the print, and no route has another."""
    directory = config_dir(tmp_path)
    rules = {row['rule'] for row in policy_matrix.printed_matrix(directory)}
    for route in policy_matrix.routes(directory):
        assert not route.rule or route.rule in rules, route


def test_options_say_the_same_to_everybody(tmp_path: Path):
    """A03: on every path."""
    directory = config_dir(tmp_path)
    found = asked(directory, Application(directory).request)
    assert found.options_mismatches() == []


def test_a_route_by_a_rule_that_nobody_knows_keeps_from_starting(tmp_path):
    """A03"""
    conf = config_files.load(['--config-dir', str(config_dir(tmp_path))])
    rules = Policy(conf, Catalogue({}))
    opened = service.open(conf)
    with pytest.raises(StartError, match='^GET /hosts: there is no policy '
                                         'rule pileus:hosts:list$'):
        table.api(conf, opened, rules, Versions('pileus', FIRST_VERSION), [])
