# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix: who may do what, by the rules in force."""

from __future__ import annotations

from collections.abc import Iterator

import service
from api import extensions, policy
from service.commands.printed import FORMATS, Row, takes_format
from service.commands.tree import Arguments, Command, configuration
from service.domain.caller import Caller
from service.domain.types import Catalogue
from service.domain.words import ACTIONS

#: Callers in a project of their own, each by the one role it has; what
#: Keystone implies by a role is not assumed.
ROLES = ('admin', 'manager', 'member', 'reader')

_SAID = {True: 'yes', False: '-'}


def matrix(arguments: Arguments) -> int:
    """Print each rule of each type, and what it says to each role."""
    conf = configuration(arguments)
    catalogue = service.catalogue(conf)
    extended = extensions.load(catalogue)
    rules = policy.Policy(conf, catalogue, extended)
    FORMATS[arguments.format](
        ('rule', *ROLES, 'without a role', 'check'),
        list(_rows(rules, catalogue, extended)), 'No type is declared.')
    return 0


def _rows(rules: policy.Policy, catalogue: Catalogue,
          extended: tuple[extensions.Extension, ...]) -> Iterator[Row]:
    own = {one.declared.name: [name for name, _ in one.rules]
           for one in extended}
    for declared in catalogue.live:
        for action in (*ACTIONS, *own.get(declared.name, ())):
            rule = policy.name(declared, action)
            said = (_SAID[rules.allows(one, rule)] for one in _callers())
            yield (rule, *said, rules.text(rule))


def _callers() -> Iterator[Caller]:
    for roles in (*({role} for role in ROLES), set[str]()):
        yield Caller('own', 'somebody', frozenset(roles), everywhere=False)


COMMAND = Command(
    ('policy', 'matrix'),
    'Print who may do what, by the rules in force; rules about a project are '
    'answered for records of the caller\'s own.', matrix, takes_format)
