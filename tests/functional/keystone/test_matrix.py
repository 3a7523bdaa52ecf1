# SPDX-License-Identifier: Apache-2.0
"""The policy matrix, asked with the tokens of a real Keystone."""

from __future__ import annotations

from tests.functional.policy_matrix import Matrix

#: Persona of the matrix -> the token that Keystone gives such a one.
TOKENS = {
    'admin': 'admin', 'member': 'member', 'reader': 'reader',
    'other_member': 'other_member', 'system_reader': 'system_reader',
    'system_admin': 'system_admin', 'service': 'service',
    'no_role': 'unscoped',
}


def test_every_cell_is_what_the_service_answers(daemon, cloud, tokens):
    """A03: what Keystone implies by a role changes nothing."""
    headers = {persona: {'X-Auth-Token': tokens[token]}
               for persona, token in TOKENS.items()}
    asked = Matrix(daemon.directory, daemon.request, headers,
                   headers['admin'], cloud.projects['alpha'],
                   cloud.projects['beta'])
    wrong = '\n'.join(asked.wrong())
    assert wrong == ''
