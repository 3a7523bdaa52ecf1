# SPDX-License-Identifier: Apache-2.0
"""The policy matrix, checked with tokens of a real Keystone."""

from __future__ import annotations

from tests.functional.harness.policy_matrix import Matrix

#: Persona of the matrix -> its token. Keystone assigns no role without a
#: project, a domain or the system, so that no_project has no token.
TOKENS = {
    'admin': 'admin', 'manager': 'manager', 'member': 'member',
    'reader': 'reader', 'other_member': 'other_member',
    'other_reader': 'other_reader', 'system_reader': 'system_reader',
    'system_admin': 'system_admin', 'service': 'service',
    'no_role': 'guest', 'domain_admin': 'domain_admin',
    'domain_admin:reader': 'domain_reader',
    'domain_admin:unscoped': 'unscoped',
}


def test_every_cell_is_what_the_service_answers(daemon, cloud, tokens):
    """A03: roles that Keystone implies change nothing."""
    headers = {persona: {'X-Auth-Token': tokens[token]}
               for persona, token in TOKENS.items()}
    matrix = Matrix(daemon.directory, daemon.request, headers,
                   headers['admin'], cloud.projects['alpha'],
                   cloud.projects['beta'])
    wrong = '\n'.join(matrix.mismatches())
    assert wrong == ''
    assert matrix.options_mismatches() == []
