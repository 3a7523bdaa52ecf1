# SPDX-License-Identifier: Apache-2.0
"""The policy rules and their defaults.

Each action of each type has a rule, such as ``pileus:hosts:create``; so have
the actions on quotas. All these refer to a few base rules. A type file and the
operator's policy file can replace any rule; ``ruleset`` combines them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from oslo_policy import policy

from api.routing.extensions import Extension
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.typefiles.vocabulary import ACTIONS

NAMESPACE = 'pileus'

#: Administrators of the cloud, who may act in all projects.
ADMIN = f'{NAMESPACE}:admin'
#: Callers who may read in all projects.
ANY_READER = f'{NAMESPACE}:any_reader'
#: Callers who may read in some project; they may read the type descriptions.
READER = f'{NAMESPACE}:reader'

#: Rules that other rules refer to: name, check, description. The checks spell
#: out which role includes which, because only Keystone's tokens list implied
#: roles.
BASE_RULES = (
    ('admin', 'role:admin',
     'Administrator of the cloud, with a token of any project or of the '
     'system.'),
    ('member', 'role:admin or role:manager or role:member',
     'Caller who may write.'),
    ('reader', 'rule:pileus:member or role:reader',
     'Caller who may read.'),
    ('any_reader',
     'rule:pileus:admin or (rule:pileus:reader and system_scope:all)',
     'Caller who may read in all projects: an administrator, or a reader '
     'with a token of the system.'),
    ('own_member',
     'rule:pileus:admin or (rule:pileus:member and '
     'project_id:%(project_id)s)',
     'Caller who may write in the project of the record.'),
    ('own_reader',
     'rule:pileus:any_reader or (rule:pileus:reader and '
     'project_id:%(project_id)s)',
     'Caller who may read in the project of the record.'),
)

#: Rules of no type: name, check, description.
SERVICE_RULES = (
    ('quotas:show', 'rule:pileus:own_reader',
     'Show the quotas of a project and their usage.'),
    ('quotas:update', 'rule:pileus:admin', 'Set the quotas of a project.'),
    ('quotas:delete', 'rule:pileus:admin',
     'Reset the quotas of a project to the defaults.'),
)

#: Rules of ``/quotas`` by action.
QUOTA_RULES: Mapping[str, str] = {
    verb: f'{NAMESPACE}:quotas:{verb}'
    for verb in ('show', 'update', 'delete')}

#: Default base rules of actions: for types with scope project, then cloud.
_DEFAULTS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(('list', 'show'), ('own_reader', 'reader')),
    'create_any': ('admin', 'admin'),
    'list_any': ('any_reader', 'any_reader'),
}
_WRITE_DEFAULT = ('own_member', 'admin')

#: Actions on tags, metadata and revisions that follow the rule of another
#: action by default. A revert is a PUT (D26).
_SAME_RULE: Mapping[str, str] = {
    **dict.fromkeys(('show_tags', 'show_metadata', 'list_revisions',
                     'show_revision'), 'show'),
    **dict.fromkeys(('update_tags', 'update_metadata'), 'patch'),
    'revert': 'replace',
}

#: Descriptions in the policy sample.
_DESCRIPTIONS: Mapping[str, str] = {
    'list': 'List {plural}.',
    'show': 'Show a record of {plural}, with its tags and metadata.',
    'create': 'Create {plural}.',
    'replace': 'Replace a record of {plural} (PUT). The create rule must '
               'allow it too.',
    'patch': 'Change a record of {plural} (PATCH).',
    'delete': 'Delete a record of {plural}.',
    'create_any': 'Create {plural} in another project.',
    'list_any': 'List {plural} of all projects.',
    'show_tags': 'Show the tags of a record of {plural} at the URLs of the '
                 'tags.',
    'update_tags': 'Change the tags of a record of {plural}, at any URL.',
    'show_metadata': 'Show the metadata of a record of {plural} at the URLs '
                     'of the metadata.',
    'update_metadata': 'Change the metadata of a record of {plural}, at any '
                       'URL.',
    'list_revisions': 'List the revisions of a record of {plural}.',
    'show_revision': 'Show a past revision of a record of {plural}.',
    'revert': 'Revert a record of {plural} to a past revision.',
}


def name(declared: ResourceType, action: str) -> str:
    """Return the rule of an action, such as ``pileus:hosts:create``."""
    return f'{NAMESPACE}:{declared.plural}:{action}'


def defaults(catalogue: Catalogue, extended: Iterable[Extension] = ()
             ) -> Iterator[policy.RuleDefault]:
    """Yield all rules with their default check and description."""
    for rule, check, description in (*BASE_RULES, *SERVICE_RULES):
        yield policy.RuleDefault(f'{NAMESPACE}:{rule}', check, description)
    for declared in catalogue.live:
        for action in ACTIONS:
            yield policy.RuleDefault(
                name(declared, action), _check(declared, action),
                _DESCRIPTIONS[action].format(plural=declared.plural))
    for extension in extended:
        patch = f'rule:{name(extension.declared, "patch")}'
        for action, default in extension.rules:
            yield policy.RuleDefault(
                name(extension.declared, action),
                extension.declared.policy.get(action, default or patch),
                f'Call the action {action} of {extension.declared.plural}.')


def _check(declared: ResourceType, action: str) -> str:
    if action in declared.policy:
        return declared.policy[action]
    if action in _SAME_RULE:
        return f'rule:{name(declared, _SAME_RULE[action])}'
    owned, cloud = _DEFAULTS.get(action, _WRITE_DEFAULT)
    return f'rule:{NAMESPACE}:{owned if declared.owned else cloud}'
