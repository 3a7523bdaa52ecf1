# SPDX-License-Identifier: Apache-2.0
"""Who may do what, by oslo.policy's rules as they are in force now.

``rules`` has the defaults, ``rulefiles`` reads what the operator says
instead, ``ruleset`` decides by both. Here the files are looked at again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from oslo_config import cfg
from oslo_policy import opts, policy

import service
from api.policy.default_rules import (
    ADMIN,
    ANY_READER,
    NAMESPACE,
    QUOTA_RULES,
    READER,
    defaults,
    name,
)
from api.policy.files import InvalidPolicy, LoadedRules, PolicyFiles
from api.policy.ruleset import RuleSet
from api.routing import extensions
from api.routing.extensions import Extension
from service.config import files as config_files
from service.domain import errors
from service.domain.caller import Caller
from service.domain.catalogue.types import Catalogue
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError

__all__ = ['ADMIN', 'ANY_READER', 'NAMESPACE', 'QUOTA_RULES', 'READER',
           'Policy', 'defaults', 'enforcer', 'listed', 'name']

LOG = logging.getLogger(__name__)

#: How many seconds lie between two looks at the files. A change counts once
#: two looks found the same, or once it is so old: a file is not read while
#: it is being written.
CHECK_SECONDS = 0.4


class Policy:
    """Decides, by the files as they were when they were last sound.

    A file that an editor has half written must neither let in whom it kept
    out nor fail every request: where it does not do, the last good rules
    stay, and the log says why, once for each change (A09).
    """

    def __init__(self, conf: cfg.ConfigOpts, catalogue: Catalogue,
                 extended: Iterable[Extension] = (), *,
                 files: PolicyFiles | None = None,
                 clock: Callable[[], float] = time.monotonic,
                 wall: Callable[[], float] = time.time) -> None:
        """Raises StartError for files that do not do; but not where the same
        ``files`` once did, here or in a worker before this one."""
        self._conf = conf
        self._clock = clock
        self._wall = wall
        self._files = files or PolicyFiles(conf)
        self._lock = threading.Lock()
        self._defaults = {one.name: one
                          for one in defaults(catalogue, extended)}
        self._due = clock() + CHECK_SECONDS
        try:
            good = self._files.good or self._first()
            self._rules = RuleSet(conf, self._defaults, good.given)
        except InvalidPolicy as exc:
            raise StartError(str(exc)) from exc
        self._good = good
        if self._files.good is None:
            self._files.good = good
        self._read = self._met = good.signature
        self._warn()

    def text(self, rule: str) -> str:
        """A rule in the policy language, as it is in force."""
        return self._rules.text(rule)

    def check(self, caller: Caller, rule: str) -> None:
        """Raise Forbidden where the rule does not let the caller."""
        if not self.allows(caller, rule):
            raise errors.Forbidden(rule=rule)

    def allows(self, caller: Caller, rule: str) -> bool:
        if self._clock() >= self._due:
            self._look()
        return self._rules.allows(caller, rule)

    def _first(self) -> LoadedRules:
        """What the files say at a start."""
        seen = self._files.signature()
        if self._files.chosen and self._files.main is None:
            raise InvalidPolicy(f'[oslo_policy] policy_file = '
                                f'{self._files.name}: there is no such file')
        return LoadedRules(self._files.read(), seen, self._files.main)

    def _look(self) -> None:
        """See whether the files have changed; one caller does, for all."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._due = self._clock() + CHECK_SECONDS
            before, self._met = self._met, self._files.signature()
            if self._met != self._read and (
                    self._met == before or self._settled()):
                self._again()
        finally:
            self._lock.release()

    def _settled(self) -> bool:
        """Nothing about the files changed within the last moment, as far as
        they tell; one that is gone tells nothing."""
        changed = [mark[1] for _, mark in self._met if mark]
        return (bool(changed)
                and self._wall() - max(changed) / 1e9 > CHECK_SECONDS)

    def _again(self) -> None:
        """Read the changed files; the rules stay where they do not do. What
        was written to meanwhile is for the next look."""
        try:
            found: RuleSet | InvalidPolicy = self._next()
        except InvalidPolicy as exc:
            found = exc
        if self._files.signature() != self._met:
            return
        self._read = self._met
        if isinstance(found, InvalidPolicy):
            LOG.error('The policy files have changed and do not do; the '
                      'rules stay as they were: %s.', found)
            return
        self._rules = found
        self._files.good = self._good = LoadedRules(
            found.given, self._read, self._files.main)
        LOG.info('The policy files have changed; their rules are in force.')
        self._warn()

    def _next(self) -> RuleSet:
        """The rules of the files while requests depend on them.

        SECURITY: here a doubt counts as a mistake, if it is new. A misspelt
        name would silently give the action its default again; an editor
        empties a file before it writes it.
        """
        main = self._good.main
        if main is not None and not os.path.exists(main):
            raise InvalidPolicy(f'{main}: is gone; reload if the defaults '
                                f'shall hold')
        found = RuleSet(self._conf, self._defaults,
                        self._files.read(blank=False))
        known = {rule for rule, _ in self._rules.doubts()}
        doubts = [doubt for rule, doubt in found.doubts()
                  if rule not in known]
        if doubts:
            raise InvalidPolicy('; '.join(doubts))
        return found

    def _warn(self) -> None:
        """Tell what is in force but cannot have been meant."""
        doubts = (doubt for _, doubt in self._rules.doubts())
        for told in (*doubts, *self._rules.remarks()):
            LOG.warning('Policy: %s.', told)


def listed() -> Iterable[policy.RuleDefault]:
    """The default rules, as ``oslopolicy-sample-generator`` wants them.

    Those of the declared types are read from the config directory that a
    daemon without arguments would use.
    """
    with _exit_on_error():
        catalogue = service.catalogue(config_files.load([]))
        return list(defaults(catalogue, extensions.load(catalogue)))


def enforcer() -> policy.Enforcer:
    """The enforcer oslo.policy's other tools look at.

    They find the files by oslo.config's global options, or not at all.
    """
    with _exit_on_error():
        conf = config_files.load([])
        files = PolicyFiles(conf)
        rules = list(listed())
        RuleSet(conf, {one.name: one for one in rules}, files.read())
    conf.set_override('policy_dirs', files.folders, 'oslo_policy')
    made = policy.Enforcer(conf, files.main)
    made.register_defaults(rules)
    opts.set_defaults(cfg.CONF, files.main or files.name)
    return made


@contextlib.contextmanager
def _exit_on_error() -> Iterator[None]:
    """A mistake ends a tool with one line and no traceback."""
    try:
        yield
    except (StartError, DeclarationError, InvalidPolicy) as exc:
        raise SystemExit(f'pileus: {exc}') from exc
