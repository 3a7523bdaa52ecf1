# SPDX-License-Identifier: Apache-2.0
"""The policy rules there are, and what each says unless told otherwise.

One rule for each action of each type, ``pileus:hosts:create``, a few for
what belongs to no type, and the handful that those are made of. A type file
and the operator's policy file replace them one by one; ``policy`` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from oslo_policy import policy

from api.routing.extensions import Extension
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.typefiles.vocabulary import ACTIONS

NAMESPACE = 'pileus'

#: Administrators of the cloud, who act everywhere.
ADMIN = f'{NAMESPACE}:admin'
#: Who reads everywhere, and so may be shown any record.
ANY_READER = f'{NAMESPACE}:any_reader'
#: Someone who may read something: who may also read what there is.
READER = f'{NAMESPACE}:reader'

#: What the others are made of. The roles imply each other here, since only
#: Keystone's tokens spell the implied ones out.
BASE_RULES = (
    ('admin', 'role:admin',
     'An administrator of the cloud, by a token of any project or of the '
     'system.'),
    ('member', 'role:admin or role:manager or role:member',
     'Someone who may write.'),
    ('reader', 'rule:pileus:member or role:reader',
     'Someone who may read.'),
    ('any_reader',
     'rule:pileus:admin or (rule:pileus:reader and system_scope:all)',
     'Who may read in all projects: an administrator, or a reader by a token '
     'of the system.'),
    ('own_member',
     'rule:pileus:admin or (rule:pileus:member and '
     'project_id:%(project_id)s)', 'Who may write in this project.'),
    ('own_reader',
     'rule:pileus:any_reader or (rule:pileus:reader and '
     'project_id:%(project_id)s)', 'Who may read in this project.'),
)

#: What belongs to no type: rule, default, description.
SERVICE_RULES = (
    ('quotas:show', 'rule:pileus:own_reader',
     'Show the quotas of a project and what it uses of them.'),
    ('quotas:update', 'rule:pileus:admin', 'Set the quotas of a project.'),
    ('quotas:delete', 'rule:pileus:admin',
     'Give a project the default quotas again.'),
)

#: The rules of ``/quotas``, by what is done.
QUOTA_RULES: Mapping[str, str] = {
    verb: f'{NAMESPACE}:quotas:{verb}'
    for verb in ('show', 'update', 'delete')}

#: The rule of an action by the type's scope: project, then cloud.
_READ_DEFAULTS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(('list', 'show'), ('own_reader', 'reader')),
    'create_any': ('admin', 'admin'),
    'list_any': ('any_reader', 'any_reader'),
}
_WRITE_DEFAULT = ('own_member', 'admin')

#: Actions on parts and on the past of a record, whose rule is that of the
#: record itself unless they are given one: a revert is a PUT (D26).
_SAME_RULE: Mapping[str, str] = {
    **dict.fromkeys(('show_tags', 'show_metadata', 'list_revisions',
                     'show_revision'), 'show'),
    **dict.fromkeys(('update_tags', 'update_metadata'), 'patch'),
    'revert': 'replace',
}

#: What a rule is about, in the policy sample.
_DESCRIPTIONS: Mapping[str, str] = {
    'list': 'List {plural}.',
    'show': 'Show one of {plural}, with its tags and metadata.',
    'create': 'Make {plural}.',
    'replace': 'Replace one of {plural} (PUT), which needs create as well.',
    'patch': 'Change one of {plural} (PATCH).',
    'delete': 'Delete one of {plural}.',
    'create_any': 'Make {plural} that belong to another project.',
    'list_any': 'List {plural} of all projects.',
    'show_tags': 'Show the tags of one of {plural} at their own URLs.',
    'update_tags': 'Change the tags of one of {plural}, wherever.',
    'show_metadata': 'Show the metadata of one of {plural} at its own URLs.',
    'update_metadata': 'Change the metadata of one of {plural}, wherever.',
    'list_revisions': 'List what was done to one of {plural}.',
    'show_revision': 'Show one of {plural} as it once was.',
    'revert': 'Give one of {plural} back a state it once had.',
}


def name(declared: ResourceType, action: str) -> str:
    """The rule of an action: ``pileus:hosts:create``."""
    return f'{NAMESPACE}:{declared.plural}:{action}'


def defaults(catalogue: Catalogue, extended: Iterable[Extension] = ()
             ) -> Iterator[policy.RuleDefault]:
    for rule, check, description in (*BASE_RULES, *SERVICE_RULES):
        yield policy.RuleDefault(f'{NAMESPACE}:{rule}', check, description)
    for declared in catalogue.live:
        for action in ACTIONS:
            yield policy.RuleDefault(
                name(declared, action), _check(declared, action),
                _DESCRIPTIONS[action].format(plural=declared.plural))
    for one in extended:
        patch = f'rule:{name(one.declared, "patch")}'
        for own, default in one.rules:
            yield policy.RuleDefault(
                name(one.declared, own),
                one.declared.policy.get(own, default or patch),
                f'Call {own} of {one.declared.plural}.')


def _check(declared: ResourceType, action: str) -> str:
    if action in declared.policy:
        return declared.policy[action]
    if action in _SAME_RULE:
        return f'rule:{name(declared, _SAME_RULE[action])}'
    owned, cloud = _READ_DEFAULTS.get(action, _WRITE_DEFAULT)
    return f'rule:{NAMESPACE}:{owned if declared.owned else cloud}'
