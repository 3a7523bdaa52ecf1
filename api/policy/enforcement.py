# SPDX-License-Identifier: Apache-2.0
"""Check callers against the policy rules in force.

``default_rules`` has the defaults, ``files`` reads the operator's files, and
``ruleset`` decides by both. This module reloads the files when they change.
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

#: Seconds between two checks of the files. A changed file is read once two
#: checks find it unchanged, or its last change is this old: a file must not be
#: read while it is being written.
CHECK_SECONDS = 0.4


class Policy:
    """The defaults, and the operator's rules as last read from valid files.

    A half-saved file must neither grant access nor fail every request. If a
    changed file is invalid, the previous rules stay in force and the log says
    why, once per change (A09).
    """

    def __init__(self, conf: cfg.ConfigOpts, catalogue: Catalogue,
                 extended: Iterable[Extension] = (), *,
                 files: PolicyFiles | None = None,
                 clock: Callable[[], float] = time.monotonic,
                 wall: Callable[[], float] = time.time) -> None:
        """Load the files; raise StartError if they are invalid.

        If ``files.in_force`` has rules, these are used and the files are not
        read. They were valid for an earlier catalogue, or in the worker that
        this one replaces.
        """
        self._conf = conf
        self._clock = clock
        self._wall = wall
        self._files = files or PolicyFiles(conf)
        self._lock = threading.Lock()
        self._defaults = {rule.name: rule
                          for rule in defaults(catalogue, extended)}
        self._due = clock() + CHECK_SECONDS
        try:
            in_force = self._files.in_force or self._load()
            self._rules = RuleSet(conf, self._defaults, in_force.rules)
        except InvalidPolicy as exc:
            raise StartError(str(exc)) from exc
        self._in_force = in_force
        if self._files.in_force is None:
            self._files.in_force = in_force
        self._loaded_signature = self._signature = in_force.signature
        self._warn()

    def text(self, rule: str) -> str:
        """Return the check of a rule in force, in the policy language."""
        return self._rules.text(rule)

    def check(self, caller: Caller, rule: str) -> None:
        """Raise Forbidden unless the rule allows the caller."""
        if not self.allows(caller, rule):
            raise errors.Forbidden(rule=rule)

    def allows(self, caller: Caller, rule: str) -> bool:
        if self._clock() >= self._due:
            self._check_files()
        return self._rules.allows(caller, rule)

    def _load(self) -> LoadedRules:
        """Read the files at a start."""
        signature = self._files.signature()
        if self._files.explicit and self._files.main is None:
            raise InvalidPolicy(f'[oslo_policy] policy_file = '
                                f'{self._files.name}: there is no such file')
        return LoadedRules(self._files.read(), signature, self._files.main)

    def _check_files(self) -> None:
        """Reload changed files; one thread does so at a time."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._due = self._clock() + CHECK_SECONDS
            before, self._signature = self._signature, self._files.signature()
            if self._signature != self._loaded_signature and (
                    self._signature == before or self._unchanged_lately()):
                self._reload()
        finally:
            self._lock.release()

    def _unchanged_lately(self) -> bool:
        """Whether all changes of existing files are older than CHECK_SECONDS.

        False if no file exists: a removed file has no time of change.
        """
        changed_ns = [state[1] for _, state in self._signature if state]
        return (bool(changed_ns)
                and self._wall() - max(changed_ns) / 1e9 > CHECK_SECONDS)

    def _reload(self) -> None:
        """Read the changed files; if they are invalid, keep the rules.

        If a file changes during the read, the result is dropped: the next
        check reads the files again.
        """
        try:
            result: RuleSet | InvalidPolicy = self._read_changed()
        except InvalidPolicy as exc:
            result = exc
        if self._files.signature() != self._signature:
            return
        self._loaded_signature = self._signature
        if isinstance(result, InvalidPolicy):
            LOG.error('The policy files changed but are invalid; the '
                      'previous rules stay in force: %s.', result)
            return
        self._rules = result
        self._files.in_force = self._in_force = LoadedRules(
            result.file_rules, self._loaded_signature, self._files.main)
        LOG.info('The policy files changed; their rules are in force.')
        self._warn()

    def _read_changed(self) -> RuleSet:
        """Return the rules of the changed files; warnings count as mistakes.

        SECURITY: with a misspelt rule name an action would silently return to
        its default rule. Only new warnings count, so that a warning of the
        start does not block later changes. An empty file is invalid: some
        editors empty a file before they write it.
        """
        main = self._in_force.main
        if main is not None and not os.path.exists(main):
            raise InvalidPolicy(f'{main}: the file is missing; to use the '
                                f'default rules, reload the service')
        rules = RuleSet(self._conf, self._defaults,
                        self._files.read(blank=False))
        known = {rule for rule, _ in self._rules.warnings()}
        new = [warning for rule, warning in rules.warnings()
               if rule not in known]
        if new:
            raise InvalidPolicy('; '.join(new))
        return rules

    def _warn(self) -> None:
        """Log rules in force that are probably mistakes."""
        warnings = (warning for _, warning in self._rules.warnings())
        for text in (*warnings, *self._rules.notices()):
            LOG.warning('Policy: %s.', text)


def listed() -> Iterable[policy.RuleDefault]:
    """Return the default rules, for ``oslopolicy-sample-generator``.

    The declared types come from the default config directory.
    """
    with _exit_on_error():
        catalogue = service.catalogue(config_files.load([]))
        return list(defaults(catalogue, extensions.load(catalogue)))


def enforcer() -> policy.Enforcer:
    """Return an enforcer for the other tools of oslo.policy.

    These tools find policy files only by oslo.config's global options.
    """
    with _exit_on_error():
        conf = config_files.load([])
        files = PolicyFiles(conf)
        rules = list(listed())
        RuleSet(conf, {rule.name: rule for rule in rules}, files.read())
    conf.set_override('policy_dirs', files.folders, 'oslo_policy')
    result = policy.Enforcer(conf, files.main)
    result.register_defaults(rules)
    opts.set_defaults(cfg.CONF, files.main or files.name)
    return result


@contextlib.contextmanager
def _exit_on_error() -> Iterator[None]:
    """End a tool with a message of one line instead of a traceback."""
    try:
        yield
    except (StartError, DeclarationError, InvalidPolicy) as exc:
        raise SystemExit(f'pileus: {exc}') from exc
