# SPDX-License-Identifier: Apache-2.0
"""One rule for each action of each type, by oslo.policy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from oslo_config import cfg
from oslo_policy import _checks, policy

import service
from api import extensions
from api.extensions import Extension
from service import config
from service.domain import errors
from service.domain.caller import Caller
from service.domain.types import Catalogue, ResourceType
from service.domain.words import ACTIONS
from service.errors import StartError

LOG = logging.getLogger(__name__)

NAMESPACE = 'pileus'

#: Someone who may read something: who may also read what there is.
READER = f'{NAMESPACE}:reader'

#: Who may do what unless the type file says otherwise. The roles imply each
#: other here, since only Keystone's tokens spell the implied ones out.
BASE = (
    ('admin', 'role:admin', 'An administrator of the cloud.'),
    ('member', 'role:admin or role:manager or role:member',
     'Someone who may write.'),
    ('reader', 'rule:pileus:member or role:reader',
     'Someone who may read.'),
    ('own_member',
     'rule:pileus:admin or (rule:pileus:member and '
     'project_id:%(project_id)s)', 'Who may write in this project.'),
    ('own_reader',
     'rule:pileus:admin or (rule:pileus:reader and '
     'project_id:%(project_id)s)', 'Who may read in this project.'),
)

#: The rule of an action by the type's scope: project, then cloud.
_DEFAULT: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(('list', 'show'), ('own_reader', 'reader')),
    **dict.fromkeys(('create_any', 'list_any'), ('admin', 'admin')),
}
_WRITES = ('own_member', 'admin')

#: What is said of a caller of more roles is not remembered: a header holds
#: thousands, and each such set of them would stay in memory.
_REMEMBERED = 64

#: What a rule is about, in the policy sample.
_DESCRIBED: Mapping[str, str] = {
    'list': 'List {plural}.',
    'show': 'Show one of {plural}, with its tags and metadata.',
    'create': 'Make {plural}.',
    'replace': 'Replace one of {plural} (PUT).',
    'patch': 'Change one of {plural}, its tags or its metadata.',
    'delete': 'Delete one of {plural}.',
    'create_any': 'Make {plural} that belong to another project.',
    'list_any': 'List {plural} of all projects.',
}


def name(declared: ResourceType, action: str) -> str:
    """The rule of an action: ``pileus:hosts:create``."""
    return f'{NAMESPACE}:{declared.plural}:{action}'


def defaults(catalogue: Catalogue, extended: Iterable[Extension] = ()
             ) -> Iterator[policy.RuleDefault]:
    for rule, check, description in BASE:
        yield policy.RuleDefault(f'{NAMESPACE}:{rule}', check, description)
    for declared in catalogue.live:
        for action in ACTIONS:
            yield policy.RuleDefault(
                name(declared, action), _check(declared, action),
                _DESCRIBED[action].format(plural=declared.plural))
    for one in extended:
        patch = f'rule:{name(one.declared, "patch")}'
        for own, default in one.rules:
            yield policy.RuleDefault(
                name(one.declared, own),
                one.declared.policy.get(own, default or patch),
                f'Call {own} of {one.declared.plural}.')


def _check(declared: ResourceType, action: str) -> str:
    owned, cloud = _DEFAULT.get(action, _WRITES)
    rule = f'rule:{NAMESPACE}:{owned if declared.owned else cloud}'
    return declared.policy.get(action, rule)


class Policy:
    """Decides by rules that are read once; a reload makes a new one.

    PERF: oslo.policy's own ``enforce`` looks at its files on each call, about
    110 us; the parsed checks it keeps are asked directly instead, and what
    they say of the same caller is remembered, unless one of them asks
    something outside (``http:``).
    """

    def __init__(self, conf: cfg.ConfigOpts, catalogue: Catalogue,
                 extended: Iterable[Extension] = ()) -> None:
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(list(defaults(catalogue, extended)))
        try:
            self._enforcer.load_rules(True)
        except (ValueError, OSError, cfg.Error) as exc:
            raise _unread(conf, str(exc)) from exc
        except (AttributeError, TypeError) as exc:
            # What oslo.policy makes of a file that is a list or a word.
            raise _unread(
                conf, 'it is not a mapping of names to rules') from exc
        self._rules = dict(self._enforcer.rules)
        self._decide = (lru_cache(maxsize=4096)(self._decided)
                        if self._static else self._decided)
        self._warn()

    @property
    def _static(self) -> bool:
        """Whether who calls is all that every rule looks at."""
        return all(_is_static(check) for check in self._rules.values())

    def text(self, rule: str) -> str:
        """A rule in the policy language, as it is in force."""
        return str(self._rules[rule])

    def check(self, caller: Caller, rule: str) -> None:
        """Raise Forbidden where the rule does not let the caller."""
        if not self.allows(caller, rule):
            raise errors.Forbidden(rule=rule)

    def allows(self, caller: Caller, rule: str) -> bool:
        decide = (self._decide if len(caller.roles) <= _REMEMBERED
                  else self._decided)
        return decide(rule, caller.project_id, caller.user_id, caller.roles)

    def _decided(self, rule: str, project_id: str | None,
                 user_id: str | None, roles: frozenset[str]) -> bool:
        """SECURITY: a caller without a project has no ``project_id`` in the
        target, so that "mine" never holds for two that are both None."""
        who = {'project_id': project_id, 'user_id': user_id}
        target = {key: value for key, value in who.items()
                  if value is not None}
        creds = {**who, 'roles': list(roles)}
        return bool(self._rules[rule](target, creds, self._enforcer, rule))

    def _warn(self) -> None:
        known = self._enforcer.registered_rules
        for rule, check in self._rules.items():
            if rule not in known:
                LOG.warning('The policy file has a rule %s that nothing '
                            'asks for.', rule)
            elif str(check) in ('@', ''):
                LOG.warning('The policy rule %s allows everybody.', rule)


def _unread(conf: cfg.ConfigOpts, reason: str) -> StartError:
    return StartError(f'[oslo_policy] policy_file = '
                      f'{conf.oslo_policy.policy_file}: '
                      f'{" ".join(reason.split())}')


#: Checks that look at nothing but who calls.
_PLAIN = (_checks.RoleCheck, _checks.GenericCheck, _checks.RuleCheck,
          _checks.TrueCheck, _checks.FalseCheck)


def _is_static(check: _checks.BaseCheck) -> bool:
    if isinstance(check, (_checks.AndCheck, _checks.OrCheck)):
        return all(_is_static(one) for one in check.rules)
    if isinstance(check, _checks.NotCheck):
        return _is_static(check.rule)
    return type(check) in _PLAIN


def listed() -> Iterable[policy.RuleDefault]:
    """The default rules, as ``oslopolicy-sample-generator`` wants them.

    Those of the declared types are read from the config directory that a
    daemon without arguments would use.
    """
    conf = config.load([])
    catalogue = service.catalogue(conf)
    return list(defaults(catalogue, extensions.load(catalogue)))


def enforcer() -> policy.Enforcer:
    """The enforcer oslo.policy's tools look at."""
    made = policy.Enforcer(config.load([]))
    made.register_defaults(list(listed()))
    return made
