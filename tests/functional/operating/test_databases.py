# SPDX-License-Identifier: Apache-2.0
"""What tests do where the server of their database is missing."""

from __future__ import annotations

import pytest

from tests.functional.harness import databases
from tests.functional.harness.daemon import free_port


@pytest.mark.parametrize(('required', 'end'), [
    (None, pytest.skip.Exception), ('', pytest.skip.Exception),
    ('oracle', pytest.skip.Exception),
    ('postgresql,mysql', pytest.fail.Exception)])
@pytest.mark.parametrize('kind', databases.SERVERS)
def test_they_skip_unless_the_gate_requires_it(monkeypatch, kind, required,
                                               end):
    server = databases.SERVERS[kind]
    monkeypatch.setenv(server.variable, databases.config_url(
        server.url.set(host='127.0.0.1', port=free_port())))
    if required is None:
        monkeypatch.delenv('PILEUS_TEST_REQUIRE', raising=False)
    else:
        monkeypatch.setenv('PILEUS_TEST_REQUIRE', required)
    with pytest.raises(end, match=f'no database server.*{server.variable}'):
        databases.create(kind)
