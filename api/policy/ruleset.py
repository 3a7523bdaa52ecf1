# SPDX-License-Identifier: Apache-2.0
"""Rules that are in force together, and what they say of a caller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from oslo_config import cfg
from oslo_policy import _checks, _parser, policy

from api.policy.files import FileRule, InvalidPolicy
from service.domain.caller import Caller
from service.domain.errors import printable, shorten

#: What a check may ask of a caller; nothing else is ever true of one.
CREDENTIALS = ('project_id', 'user_id', 'roles', 'system_scope')
#: What it may compare that with, as ``%(project_id)s`` (D19).
TARGET = ('project_id', 'user_id')

_VALID_CHECKS = f'a rule may ask for role, rule, {", ".join(CREDENTIALS)}'

#: A caller of whom all is known: what cannot be asked of this one, such as
#: ``user_id.x:y`` or ``role:100%``, fails, and how.
_SAMPLE_TARGET = dict.fromkeys(TARGET, 'x')
_SAMPLE_CREDENTIALS = {**_SAMPLE_TARGET, 'roles': ['x'], 'system_scope': 'all'}
_FAILURES = (TypeError, ValueError, SyntaxError, MemoryError, RecursionError)

#: What is said of a caller of more roles is not remembered: a header holds
#: thousands, and each such set of them would stay in memory.
_MAX_CACHED_ROLES = 64


class RuleSet:
    """The default rules, and what the policy files put in their place.

    Raises InvalidPolicy where a rule cannot be understood, leads nowhere or
    asks something else than a caller (``http:``). PERF: oslo.policy's own
    ``enforce`` looks at its files on each call, about 110 us; the parsed
    checks are asked directly here, and what they say of the same caller is
    remembered.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 defaults: Mapping[str, policy.RuleDefault],
                 given: Mapping[str, FileRule]) -> None:
        self.given = given
        self._defaults = defaults
        self._enforcer = policy.Enforcer(conf, use_conf=False)
        self._rules = {name: one.check for name, one in defaults.items()}
        self._rules.update(policy.Rules.from_dict(
            {name: one.text for name, one in given.items()}))
        self._enforcer.set_rules(self._rules)
        wrong = list(self._wrong())
        if wrong:
            raise InvalidPolicy('; '.join(wrong))
        self._decide = lru_cache(maxsize=4096)(self._decided)

    def text(self, rule: str) -> str:
        """A rule in the policy language."""
        return str(self._rules[rule])

    def allows(self, caller: Caller, rule: str) -> bool:
        decide = (self._decide if len(caller.roles) <= _MAX_CACHED_ROLES
                  else self._decided)
        return decide(rule, caller.project_id, caller.user_id, caller.roles,
                      caller.system_scope)

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Rules of the files that are not what anybody means, and why."""
        used = {one for check in self._rules.values()
                for one in _referenced_rules(check)}
        for name, one in self.given.items():
            for told in (one.doubt, *self._doubts(name, one, used)):
                if told:
                    yield name, f'{one.place}: {told}'

    def _doubts(self, name: str, one: FileRule,
                used: Iterable[str]) -> Iterator[str]:
        if name not in self._defaults and name not in used:
            yield 'nothing asks for a rule of this name'
        if not one.text.strip():
            yield 'is empty, which allows everybody; write "@" if that is ' \
                  'meant'
        yield from _impossible_checks(self._rules[name])

    def remarks(self) -> Iterator[str]:
        """What is no mistake of the files, but worth a warning: what the
        types' own rules ask for in vain, and who is let in without a role by
        any rule but a mere reference."""
        for name, check in self._rules.items():
            if name not in self.given:
                for told in _impossible_checks(check):
                    yield f'{self._place(name)}: {told}'
            if not isinstance(check, _checks.RuleCheck) and self._decided(
                    name, None, None, frozenset(), None):
                yield f'{self._place(name)}: ' + (
                    'allows everybody' if _always_allows(check)
                    else 'lets in who has no role')

    def _decided(self, rule: str, project_id: str | None,
                 user_id: str | None, roles: frozenset[str],
                 system_scope: str | None) -> bool:
        """SECURITY: a caller without a project has no ``project_id`` in the
        target, so that "mine" never holds for two that are both None."""
        who = {'project_id': project_id, 'user_id': user_id}
        target = {key: value for key, value in who.items()
                  if value is not None}
        creds = {**who, 'roles': list(roles), 'system_scope': system_scope}
        return bool(self._rules[rule](target, creds, self._enforcer, rule))

    def _wrong(self) -> Iterator[str]:
        """Rules that cannot be carried out, each by where it stands."""
        for name, check in self._rules.items():
            place = self._place(name)
            text = (self.given[name].text if name in self.given
                    else self._defaults[name].check_str)
            if _unparsable(text, check):
                yield f'{place}: "{text}" is not in the policy language'
            for told in self._unaskable(check):
                yield f'{place}: {told}'
            for other in _referenced_rules(check):
                if other not in self._rules:
                    yield f'{place}: there is no rule {other}'
            if self._circles(name):
                yield f'{place}: goes in a circle'

    def _unaskable(self, check: _checks.BaseCheck) -> Iterator[str]:
        """What would fail the request that asks it, and why.

        SECURITY: a check that asks another server (``http:``) would tell it
        who calls and would wait for it; so whatever is not known is refused,
        those that an installed package brings too.
        """
        for one in _leaves(check):
            asked = printable(shorten(str(one)))
            if type(one) not in _CHECK_TYPES:
                yield (f'"{asked}" does not ask for what a caller is; '
                       f'{_VALID_CHECKS}')
            elif not isinstance(one, _checks.RuleCheck):
                try:
                    one(_SAMPLE_TARGET, _SAMPLE_CREDENTIALS, self._enforcer)
                except _FAILURES:
                    yield f'"{asked}" cannot be asked'

    def _place(self, name: str) -> str:
        """Where a rule stands: in a policy file, or with its type."""
        return (self.given[name].place if name in self.given
                else f'the policy rule {name}')

    def _circles(self, name: str) -> bool:
        """Whether the rule leads back to itself."""
        met: set[str] = set()
        ahead = [name]
        while ahead:
            for other in _referenced_rules(self._rules.get(ahead.pop())):
                if other == name:
                    return True
                if other not in met:
                    met.add(other)
                    ahead.append(other)
        return False


#: A word of a rule that says never.
_NEVER = re.compile(r'(?<![^\s(])!(?![^\s)])')


def _unparsable(text: str, check: _checks.BaseCheck) -> bool:
    """oslo.policy makes what it cannot read a "never", as ``!`` is. So a
    rule is read once more with each such word the opposite of it: what is
    still never was not understood."""
    if not _has_never(check):
        return False
    return _has_never(_parser.parse_rule(_NEVER.sub('@', text)))


def _has_never(check: _checks.BaseCheck) -> bool:
    return any(isinstance(one, _checks.FalseCheck)
               for one in _leaves(check))


#: Checks that look at nothing but who calls, which is all there may be.
_CHECK_TYPES = (_checks.RoleCheck, _checks.GenericCheck, _checks.RuleCheck,
          _checks.TrueCheck, _checks.FalseCheck)


def _leaves(check: _checks.BaseCheck | None) -> Iterator[_checks.BaseCheck]:
    """The checks that a rule is put together from."""
    if isinstance(check, (_checks.AndCheck, _checks.OrCheck)):
        for one in check.rules:
            yield from _leaves(one)
    elif isinstance(check, _checks.NotCheck):
        yield from _leaves(check.rule)
    elif check is not None:
        yield check


def _always_allows(check: _checks.BaseCheck) -> bool:
    """Whether the rule says yes by its form: ``not role:x`` lets in who has
    no role, and keeps others out."""
    if isinstance(check, _checks.OrCheck):
        return any(map(_always_allows, check.rules))
    if isinstance(check, _checks.AndCheck):
        return all(map(_always_allows, check.rules))
    return isinstance(check, _checks.TrueCheck)


def _referenced_rules(check: _checks.BaseCheck | None) -> Iterator[str]:
    """The rules that a rule refers to by their names."""
    return (one.match for one in _leaves(check)
            if isinstance(one, _checks.RuleCheck))


def _impossible_checks(check: _checks.BaseCheck) -> Iterator[str]:
    """What a rule asks of a caller that no caller has: ``rol:admin``."""
    for one in _leaves(check):
        if type(one) is _checks.GenericCheck:
            for word in _unknown_names(one):
                yield f'asks for {word}, which never holds; {_VALID_CHECKS}'


def _unknown_names(check: _checks.GenericCheck) -> Iterator[str]:
    if check.kind.isidentifier() and check.kind not in (*CREDENTIALS,
                                                        *_LITERALS):
        yield check.kind
    for word in re.findall(r'%\((.*?)\)s', check.match):
        if word not in TARGET:
            yield f'%({word})s'


_LITERALS = ('True', 'False', 'None')
