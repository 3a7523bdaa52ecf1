# SPDX-License-Identifier: Apache-2.0
"""A writing process is killed repeatedly (DB08).

Each acknowledged record is stored, and each record has its tags, its revision
and its place in the usage.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.functional.faults import writing
from tests.functional.faults.own import KINDS, until
from tests.functional.harness.daemon import config_dir, database
from tests.functional.harness.databases import config_url

KILLS = 25


@pytest.fixture(params=['sqlite', *KINDS])
def directory(request: pytest.FixtureRequest,
              tmp_path: Path) -> Iterator[Path]:
    if request.param == 'sqlite':
        yield config_dir(tmp_path)
        return
    server = KINDS[request.param]()
    try:
        yield config_dir(tmp_path, conf={'database': {
            'connection': config_url(server.database())}})
    finally:
        server.close()


@pytest.mark.timeout(240)
def test_acknowledged_records_are_stored_and_complete(
        directory, tmp_path):
    """DB08."""
    notes = tmp_path / 'notes'
    notes.touch()
    # Each writer forks from one process that has imported all modules.
    forks = multiprocessing.get_context('forkserver')
    forks.set_forkserver_preload([writing.__name__, 'api.app'])
    for number in range(KILLS):
        enough = len(notes.read_bytes().splitlines()) + 3
        writer = forks.Process(target=writing.write, args=(
            directory, notes, f'w{number}'))
        writer.start()
        try:
            until(lambda: len(notes.read_bytes().splitlines())
                  >= enough or not writer.is_alive())  # noqa: B023
        finally:
            writer.kill()
            writer.join()
        assert writer.exitcode == -9
    check_complete(directory, set(notes.read_text().splitlines()))


def check_complete(directory: Path, names: set[str]) -> None:
    with database(directory).connect() as connection:
        def rows(statement: str) -> list[tuple[object, ...]]:
            return [tuple(map(str, row)) for row in
                    connection.execute(sa.text(statement))]
        hosts = rows('SELECT id, name FROM r_hosts')
        assert names <= {name for _, name in hosts}
        assert sorted(rows('SELECT record_id, tag FROM pileus_tags')) == (
            sorted(hosts))
        ids = sorted((id,) for id, _ in hosts)
        assert sorted(rows('SELECT record_id FROM pileus_revisions')) == ids
        assert rows('SELECT used FROM pileus_usage') == [(str(len(ids)),)]
        assert (rows('SELECT n FROM pileus_counter')
                == rows('SELECT MAX(number) FROM pileus_revisions'))
        if connection.dialect.name == 'sqlite':
            assert rows('PRAGMA integrity_check') == [('ok',)]
