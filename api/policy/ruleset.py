# SPDX-License-Identifier: Apache-2.0
"""The rules in force, and their decisions for a caller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from oslo_config import cfg
from oslo_policy import _checks, _parser, policy

from api.policy.files import FileRule, InvalidPolicy
from service.domain.caller import Caller
from service.domain.errors import printable, shorten

#: Attributes of a caller that a rule can check. A check of any other attribute
#: never succeeds.
CREDENTIALS = ('project_id', 'user_id', 'roles', 'system_scope')
#: Attributes to compare with, written as ``%(project_id)s`` (D19).
TARGET = ('project_id', 'user_id')

_VALID_CHECKS = f'valid checks are role, rule, {", ".join(CREDENTIALS)}'

#: A caller with all attributes. A check that raises with these values, such as
#: ``user_id.x:y`` or ``role:100%``, would raise in every request.
_SAMPLE_TARGET = dict.fromkeys(TARGET, 'x')
_SAMPLE_CREDENTIALS = {**_SAMPLE_TARGET, 'roles': ['x'], 'system_scope': 'all'}
_FAILURES = (TypeError, ValueError, SyntaxError, MemoryError, RecursionError)

#: Most roles of a caller whose decisions are cached. A header can hold
#: thousands of roles, and each set of them would stay in memory.
_MAX_CACHED_ROLES = 64


class RuleSet:
    """The default rules, replaced where the policy files have a rule.

    Raises InvalidPolicy if a rule cannot be parsed, refers to a missing rule
    or to itself, or checks something other than the caller (``http:``).

    PERF: oslo.policy's ``enforce`` checks its files at each call, which takes
    about 110 us. This class calls the parsed checks directly, and caches the
    decisions.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 defaults: Mapping[str, policy.RuleDefault],
                 file_rules: Mapping[str, FileRule]) -> None:
        self.file_rules = file_rules
        self._defaults = defaults
        self._enforcer = policy.Enforcer(conf, use_conf=False)
        self._rules = {name: rule.check for name, rule in defaults.items()}
        self._rules.update(policy.Rules.from_dict(
            {name: rule.text for name, rule in file_rules.items()}))
        self._enforcer.set_rules(self._rules)
        mistakes = list(self._mistakes())
        if mistakes:
            raise InvalidPolicy('; '.join(mistakes))
        self._decide = lru_cache(maxsize=4096)(self._evaluate)

    def text(self, rule: str) -> str:
        """Return the check of a rule, in the policy language."""
        return str(self._rules[rule])

    def allows(self, caller: Caller, rule: str) -> bool:
        decide = (self._decide if len(caller.roles) <= _MAX_CACHED_ROLES
                  else self._evaluate)
        return decide(rule, caller.project_id, caller.user_id, caller.roles,
                      caller.system_scope)

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield file rules that are probably mistakes, as name and message."""
        used = {rule for check in self._rules.values()
                for rule in _referenced_rules(check)}
        for name, rule in self.file_rules.items():
            for text in (rule.warning, *self._rule_warnings(name, rule, used)):
                if text:
                    yield name, f'{rule.place}: {text}'

    def _rule_warnings(self, name: str, rule: FileRule,
                       used: Iterable[str]) -> Iterator[str]:
        if name not in self._defaults and name not in used:
            yield 'no action uses this rule name'
        if not rule.text.strip():
            yield 'an empty check allows everybody; write "@" if that is ' \
                  'intended'
        yield from _impossible_checks(self._rules[name])

    def notices(self) -> Iterator[str]:
        """Yield warnings about rules that are no mistake of the files.

        These are rules of type files with a check that never succeeds, and all
        rules that allow a caller without roles. Rules that only refer to
        another rule are left out.
        """
        for name, check in self._rules.items():
            if name not in self.file_rules:
                for text in _impossible_checks(check):
                    yield f'{self._place(name)}: {text}'
            if not isinstance(check, _checks.RuleCheck) and self._evaluate(
                    name, None, None, frozenset(), None):
                yield f'{self._place(name)}: ' + (
                    'allows everybody' if _always_allows(check)
                    else 'allows callers without a role')

    def _evaluate(self, rule: str, project_id: str | None,
                  user_id: str | None, roles: frozenset[str],
                  system_scope: str | None) -> bool:
        """Whether a rule allows a caller with these attributes.

        SECURITY: the target of a caller without a project has no
        ``project_id``. A comparison of two missing projects would otherwise
        succeed.
        """
        caller = {'project_id': project_id, 'user_id': user_id}
        target = {key: value for key, value in caller.items()
                  if value is not None}
        creds = {**caller, 'roles': list(roles), 'system_scope': system_scope}
        return bool(self._rules[rule](target, creds, self._enforcer, rule))

    def _mistakes(self) -> Iterator[str]:
        """Yield what makes a rule impossible to evaluate, with its place."""
        for name, check in self._rules.items():
            place = self._place(name)
            text = (self.file_rules[name].text if name in self.file_rules
                    else self._defaults[name].check_str)
            if _unparsable(text, check):
                yield f'{place}: "{text}" is not valid policy language'
            for mistake in self._unusable_checks(check):
                yield f'{place}: {mistake}'
            for other in _referenced_rules(check):
                if other not in self._rules:
                    yield f'{place}: there is no rule {other}'
            if self._refers_to_itself(name):
                yield f'{place}: the rule refers to itself'

    def _unusable_checks(self, check: _checks.BaseCheck) -> Iterator[str]:
        """Yield checks that would fail at each request.

        SECURITY: a check by another server (``http:``) would disclose the
        caller and delay the request. Only known kinds of checks are valid, so
        those of other installed packages are refused too.
        """
        for leaf in _leaves(check):
            text = printable(shorten(str(leaf)))
            if type(leaf) not in _CHECK_TYPES:
                yield f'"{text}" is not a check of the caller; {_VALID_CHECKS}'
            elif not isinstance(leaf, _checks.RuleCheck):
                try:
                    leaf(_SAMPLE_TARGET, _SAMPLE_CREDENTIALS, self._enforcer)
                except _FAILURES:
                    yield f'"{text}" cannot be evaluated'

    def _place(self, name: str) -> str:
        """Return where a rule stands: in a policy file, or with its type."""
        return (self.file_rules[name].place if name in self.file_rules
                else f'the policy rule {name}')

    def _refers_to_itself(self, name: str) -> bool:
        """Whether a rule refers to itself, directly or through other rules."""
        visited: set[str] = set()
        pending = [name]
        while pending:
            for other in _referenced_rules(self._rules.get(pending.pop())):
                if other == name:
                    return True
                if other not in visited:
                    visited.add(other)
                    pending.append(other)
        return False


#: An ``!`` in a rule: the check that always fails.
_NEVER = re.compile(r'(?<![^\s(])!(?![^\s)])')


def _unparsable(text: str, check: _checks.BaseCheck) -> bool:
    """Whether oslo.policy could not parse a rule.

    oslo.policy replaces what it cannot parse by ``!``. So the rule is parsed
    again with each ``!`` replaced by ``@``: a ``!`` in the result stands for
    something that was not understood.
    """
    if not _has_never(check):
        return False
    return _has_never(_parser.parse_rule(_NEVER.sub('@', text)))


def _has_never(check: _checks.BaseCheck) -> bool:
    return any(isinstance(leaf, _checks.FalseCheck)
               for leaf in _leaves(check))


#: The valid kinds of checks; these depend on nothing but the caller.
_CHECK_TYPES = (_checks.RoleCheck, _checks.GenericCheck, _checks.RuleCheck,
                _checks.TrueCheck, _checks.FalseCheck)


def _leaves(check: _checks.BaseCheck | None) -> Iterator[_checks.BaseCheck]:
    """Yield the simple checks that a rule combines."""
    if isinstance(check, (_checks.AndCheck, _checks.OrCheck)):
        for part in check.rules:
            yield from _leaves(part)
    elif isinstance(check, _checks.NotCheck):
        yield from _leaves(check.rule)
    elif check is not None:
        yield check


def _always_allows(check: _checks.BaseCheck) -> bool:
    """Whether the form of a rule allows every caller.

    ``not role:x`` does not: it allows a caller without roles, but refuses
    others.
    """
    if isinstance(check, _checks.OrCheck):
        return any(map(_always_allows, check.rules))
    if isinstance(check, _checks.AndCheck):
        return all(map(_always_allows, check.rules))
    return isinstance(check, _checks.TrueCheck)


def _referenced_rules(check: _checks.BaseCheck | None) -> Iterator[str]:
    """Return the names of the rules that a rule refers to."""
    return (leaf.match for leaf in _leaves(check)
            if isinstance(leaf, _checks.RuleCheck))


def _impossible_checks(check: _checks.BaseCheck) -> Iterator[str]:
    """Yield checks of attributes that no caller has, such as ``rol:admin``."""
    for leaf in _leaves(check):
        if type(leaf) is _checks.GenericCheck:
            for name in _unknown_names(leaf):
                yield f'checks {name}, which no caller has; {_VALID_CHECKS}'


def _unknown_names(check: _checks.GenericCheck) -> Iterator[str]:
    if check.kind.isidentifier() and check.kind not in (*CREDENTIALS,
                                                        *_LITERALS):
        yield check.kind
    for name in re.findall(r'%\((.*?)\)s', check.match):
        if name not in TARGET:
            yield f'%({name})s'


_LITERALS = ('True', 'False', 'None')
