# SPDX-License-Identifier: Apache-2.0
"""The outcome of a test whose database server does not answer."""

from __future__ import annotations

import pytest

from tests.functional.harness import databases
from tests.functional.harness.daemon import free_port


@pytest.mark.parametrize(('required', 'outcome'), [
    (None, pytest.skip.Exception), ('', pytest.skip.Exception),
    ('oracle', pytest.skip.Exception),
    ('postgresql,mysql', pytest.fail.Exception)])
@pytest.mark.parametrize('backend', databases.SERVERS)
def test_a_test_without_its_server_is_skipped_unless_required(
        monkeypatch, backend, required, outcome):
    server = databases.SERVERS[backend]
    monkeypatch.setenv(server.variable, databases.config_url(
        server.url.set(host='127.0.0.1', port=free_port())))
    if required is None:
        monkeypatch.delenv('PILEUS_TEST_REQUIRE', raising=False)
    else:
        monkeypatch.setenv('PILEUS_TEST_REQUIRE', required)
    with pytest.raises(outcome,
                       match=f'no database server.*{server.variable}'):
        databases.create(backend)
