# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix: who may do what, by the rules in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import service
from api.identity import Identity
from api.policy import enforcement
from api.policy.enforcement import Policy
from api.routing import extensions
from api.routing.extensions import Extension
from service.commands.cli.output import FORMATS, Row, add_format
from service.commands.cli.parser import Arguments, Command, configuration
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.typefiles.vocabulary import ACTIONS

#: The project of the records that are asked about, and another one.
OWN_PROJECT, OTHER_PROJECT = 'own', 'other'

ALLOWED, DENIED, HIDDEN = 'allowed', 'denied', 'hidden'


class Persona(NamedTuple):
    """A kind of caller, by the one role it has: what Keystone implies by a
    role is not assumed."""

    name: str
    role: str
    project: str | None = OWN_PROJECT
    system: str | None = None

    def identity(self) -> Identity:
        return Identity(self.project, 'somebody',
                        frozenset(filter(None, [self.role])), None,
                        system_scope=self.system)


PERSONAS = (
    Persona('admin', 'admin'),
    Persona('manager', 'manager'),
    Persona('member', 'member'),
    Persona('reader', 'reader'),
    Persona('other_member', 'member', OTHER_PROJECT),
    Persona('other_reader', 'reader', OTHER_PROJECT),
    Persona('system_admin', 'admin', None, 'all'),
    Persona('system_reader', 'reader', None, 'all'),
    Persona('service', 'service', OTHER_PROJECT),
    Persona('no_role', ''),
    Persona('no_project', 'member', None),
    # Nothing here belongs to a domain: its roles are none.
    Persona('domain_admin', '', None),
)


class PolicyAction(NamedTuple):
    """What a rule is about. ``needs`` are all the rules that are asked;
    ``afar`` is what becomes of one that is done to what is another
    project's; ``reads``: nothing is changed."""

    rule: str
    needs: tuple[str, ...]
    afar: str = ALLOWED
    reads: bool = False


def matrix(arguments: Arguments) -> int:
    """Print what each rule says to each persona."""
    conf = configuration(arguments)
    catalogue = service.catalogue(conf)
    extended = extensions.load(catalogue)
    rules = Policy(conf, catalogue, extended)
    FORMATS[arguments.format](
        ('rule', *(one.name for one in PERSONAS), 'check'),
        [_row(rules, deed) for deed in policy_actions(catalogue, extended)],
        'No type is declared.')
    return 0


def policy_actions(catalogue: Catalogue, extended: tuple[Extension, ...]
          ) -> Iterator[PolicyAction]:
    """Everything there is a rule for."""
    yield PolicyAction(enforcement.READER, (enforcement.READER,), reads=True)
    for verb, rule in enforcement.QUOTA_RULES.items():
        yield PolicyAction(rule, (rule,), DENIED, verb == 'show')
    own = {one.declared.name: one for one in extended}
    for declared in catalogue.live:
        for action in ACTIONS:
            if declared.owned or not action.endswith('_any'):
                yield _type_action(declared, action)
        if declared.name in own:
            yield from _extension_actions(own[declared.name])


#: What is asked besides the action's own rule.
_ALSO_NEEDED: Mapping[str, str] = {
    'replace': 'create', 'create_any': 'create', 'list_any': 'list',
    'show_revision': 'show', 'revert': 'show'}

#: What is done to no record in particular.
_WITHOUT_RECORD = frozenset({'list', 'create', 'create_any', 'list_any'})


def _type_action(declared: ResourceType, action: str) -> PolicyAction:
    needs = [action, *filter(None, [_ALSO_NEEDED.get(action)])]
    return PolicyAction(enforcement.name(declared, action),
                tuple(enforcement.name(declared, one) for one in needs),
                _in_other_project(declared, action not in _WITHOUT_RECORD),
                action.startswith(('show', 'list')))


def _extension_actions(extension: Extension) -> Iterator[PolicyAction]:
    """What a type's own controller adds: actions, and paths of its own."""
    declared = extension.declared
    for name in extension.actions:
        rule = enforcement.name(declared, name)
        yield PolicyAction(rule, (rule, enforcement.name(declared, 'show')),
                   _in_other_project(declared, True))
    for path in extension.paths:
        rule = enforcement.name(declared, path.name)
        yield PolicyAction(
            rule, (rule,), _in_other_project(declared, '{id}' in path.path),
            path.verb == 'GET')


def _in_other_project(declared: ResourceType, single: bool) -> str:
    return HIDDEN if declared.owned and single else ALLOWED


def _row(rules: Policy, deed: PolicyAction) -> Row:
    return (deed.rule, *(outcome(rules, one, deed) for one in PERSONAS),
            rules.text(deed.rule))


def outcome(rules: Policy, persona: Persona, deed: PolicyAction) -> str:
    """What becomes of a deed: another project's record is as if it were not
    there, but only for who would be allowed the same at home."""
    caller = persona.identity().caller(rules, reads=deed.reads)
    if not all(rules.allows(caller, rule) for rule in deed.needs):
        return DENIED
    return ALLOWED if caller.owner in (None, OWN_PROJECT) else deed.afar


COMMAND = Command(
    ('policy', 'matrix'),
    'Print who may do what, by the rules in force, to the records of a '
    'project: allowed, denied (403), or hidden (404, as if the record were '
    'not there).', matrix, add_format)
