# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix: print the actions of each kind of caller."""

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

#: The project that owns the records of the matrix, and another project.
OWN_PROJECT, OTHER_PROJECT = 'own', 'other'

ALLOWED, DENIED, HIDDEN = 'allowed', 'denied', 'hidden'


class Persona(NamedTuple):
    """A kind of caller with a single role.

    Roles that Keystone implies by this role are not added.
    """

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
    # The keystone filter drops roles on a domain.
    Persona('domain_admin', '', None),
)


class PolicyAction(NamedTuple):
    """An action that policy rules protect.

    ``needs`` are all rules that must allow the action. ``in_other_project`` is
    the outcome if they do, and the record belongs to another project. An
    action that ``reads`` changes nothing.
    """

    rule: str
    needs: tuple[str, ...]
    in_other_project: str = ALLOWED
    reads: bool = False


def matrix(arguments: Arguments) -> int:
    """Print the outcome of each action for each persona."""
    conf = configuration(arguments)
    catalogue = service.catalogue(conf)
    extended = extensions.load(catalogue)
    rules = Policy(conf, catalogue, extended)
    FORMATS[arguments.format](
        ('rule', *(persona.name for persona in PERSONAS), 'check'),
        [_row(rules, action)
         for action in policy_actions(catalogue, extended)],
        'No type is declared.')
    return 0


def policy_actions(catalogue: Catalogue, extended: tuple[Extension, ...]
                   ) -> Iterator[PolicyAction]:
    """Yield every action that has a policy rule."""
    yield PolicyAction(enforcement.READER, (enforcement.READER,), reads=True)
    for verb, rule in enforcement.QUOTA_RULES.items():
        yield PolicyAction(rule, (rule,), DENIED, verb == 'show')
    by_type = {extension.declared.name: extension for extension in extended}
    for declared in catalogue.live:
        for action in ACTIONS:
            if declared.owned or not action.endswith('_any'):
                yield _type_action(declared, action)
        if declared.name in by_type:
            yield from _extension_actions(by_type[declared.name])


#: Actions that also need the rule of a second action.
_ALSO_NEEDED: Mapping[str, str] = {
    'replace': 'create', 'create_any': 'create', 'list_any': 'list',
    'show_revision': 'show', 'revert': 'show'}

#: Actions that do not concern one existing record.
_WITHOUT_RECORD = frozenset({'list', 'create', 'create_any', 'list_any'})


def _type_action(declared: ResourceType, action: str) -> PolicyAction:
    needs = [action, *filter(None, [_ALSO_NEEDED.get(action)])]
    return PolicyAction(
        enforcement.name(declared, action),
        tuple(enforcement.name(declared, need) for need in needs),
        _in_other_project(declared, action not in _WITHOUT_RECORD),
        action.startswith(('show', 'list')))


def _extension_actions(extension: Extension) -> Iterator[PolicyAction]:
    """Yield the actions and paths that the controller of a type adds."""
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


def _row(rules: Policy, action: PolicyAction) -> Row:
    return (action.rule,
            *(outcome(rules, persona, action) for persona in PERSONAS),
            rules.text(action.rule))


def outcome(rules: Policy, persona: Persona, action: PolicyAction) -> str:
    """Return ALLOWED, DENIED or HIDDEN.

    A record of another project is hidden only from a caller who may do the
    same in its own project. The others are denied.
    """
    caller = persona.identity().caller(rules, reads=action.reads)
    if not all(rules.allows(caller, rule) for rule in action.needs):
        return DENIED
    return (ALLOWED if caller.owner in (None, OWN_PROJECT)
            else action.in_other_project)


COMMAND = Command(
    ('policy', 'matrix'),
    'Print what each kind of caller may do with the records of a project, by '
    'the rules in force: allowed, denied (403) or hidden (404, as if the '
    'record did not exist).', matrix, add_format)
