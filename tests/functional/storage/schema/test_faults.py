# SPDX-License-Identifier: Apache-2.0
"""DB09: applies that are killed, that meet each other, that meet who reads or
writes. What was stored stays, and the next apply finishes what one began."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa

from service import failpoints
from service.config import files as config_files
from service.storage.database import engine
from service.storage.schema import applied_types, apply
from tests.functional.storage.schema import changes
from tests.functional.storage.schema.changes import IDS, Words, box, rack
from tests.functional.storage.schema.schemas import Schema, catalogue, texts

OLD = (box({'size': {'type': 'integer'}, 'kind': {'type': 'string'},
            'gone': {'type': 'string'}}, indexes=[['size']]),)
NEW = (box({'width': {'type': 'integer', 'renamed_from': 'size',
                      'since': '1.1'},
            'kind': {'type': 'string', 'backfill': 'old'},
            'gone': {'dropped': True},
            'rack_id': {'references': 'rack'},
            'label': {'type': 'string', 'default': 'none'}},
           indexes=[['width']], unique=[['text', 'width']],
           required=['kind']), rack())
ROWS = tuple({'text': f't{n}', 'size': n, 'kind': None, 'gone': 'g'}
             for n in range(len(IDS)))
KEPT = [{'text': f't{n}', 'width': n, 'kind': 'old', 'label': 'none',
         'rack_id': None} for n in range(len(IDS))]


@pytest.fixture
def filled(schema: Schema) -> Schema:
    schema.apply(OLD)
    schema.fill(OLD, 'box', ROWS)
    return schema


def started(schema: Schema, types: Sequence[Words],
            failpoints: str = '') -> subprocess.Popen[str]:
    """``pileus-manage schema apply`` of these types."""
    directory = schema.directory / 'resources.d'
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name, text in texts(types).items():
        (directory / name).write_text(text)
    return subprocess.Popen(
        [sys.executable, '-m', 'service.commands.manage', 'schema', 'apply',
         '--config-dir', str(schema.directory)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'PILEUS_FAILPOINTS': failpoints})


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    told, why = process.communicate(timeout=120)
    return process.returncode, told, why


def forked(schema: Schema, failpoint: str = '',
           types: Sequence[Words] = NEW, said: str = '') -> int:
    """An apply of types in a process of its own, which dies when the
    database was told what begins so; how it ended."""
    with warnings.catch_warnings():
        # Where another test of the run has imported eventlet: this child is
        # of no green thread.
        warnings.simplefilter('ignore', DeprecationWarning)
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        failpoints.reach = failpoints.parse(failpoint)
        made = engine.connect(config_files.load(
            ['--config-dir', str(schema.directory)]), time_limits=False)
        if said:
            sa.event.listen(made, 'after_cursor_execute', _killed_by(said))
        apply.apply(made, catalogue(types))
        status = 0
    finally:
        os._exit(status)


def _killed_by(said: str) -> Callable[..., None]:
    def after(connection: object, cursor: object, statement: str,
              *given: object) -> None:
        if statement.startswith(said):
            os.kill(os.getpid(), signal.SIGKILL)
    return after


def kept(schema: Schema) -> None:
    assert schema.plan(NEW).lines == []
    rows = schema.rows(NEW, 'box')
    assert [{name: one[name] for name in KEPT[0]} for one in rows] == KEPT
    assert {'gone', 'size'}.isdisjoint(rows[0])
    with schema.engine.connect() as connection:
        assert not applied_types.writes_blocked(connection)


def undone(schema: Schema) -> int:
    """How many steps there are that the database has to take."""
    return sum(bool(one.ddl) for one in schema.plan(NEW).steps)


def test_an_apply_killed_after_each_of_its_steps_is_finished(filled):
    """SQLite has one transaction for all: nothing was done, or everything.
    """
    left = undone(filled)
    sqlite = filled.engine.dialect.name == 'sqlite'
    filled.engine.dispose()
    while (status := forked(filled, 'schema_step=kill')) == -signal.SIGKILL:
        assert filled.plan(NEW).refusals == ()
        if sqlite:
            assert undone(filled) == left
            status = forked(filled)
            break
        assert 0 <= undone(filled) < left
        left = undone(filled)
        filled.engine.dispose()
    assert (status, left > 0) == (0, sqlite)
    kept(filled)


def test_an_apply_killed_before_its_first_step_is_finished(filled):
    filled.engine.dispose()
    assert forked(filled, 'schema_begun=kill') == -signal.SIGKILL
    with filled.engine.connect() as connection:
        shut = applied_types.writes_blocked(connection)
    assert shut != (filled.engine.dialect.name == 'sqlite')
    told = filled.plan(NEW).lines
    assert shut == ('database: an apply has begun and is not at its end '
                    '(none)' in told)
    filled.engine.dispose()
    assert forked(filled) == 0
    kept(filled)


@pytest.mark.parametrize('schema_server', ['mysql'], indirect=True)
def test_an_apply_killed_within_a_step_leaves_no_default(filled):
    """MariaDB has the column by then, and cannot undo it: a write that leaves
    it out would never be a mistake again."""
    filled.engine.dispose()
    assert forked(filled, said='ALTER TABLE r_boxes ADD COLUMN label'
                  ) == -signal.SIGKILL
    told = [one for one in filled.plan(NEW).lines if 'by the table' in one]
    assert told == ['box.label: is given no value by the table any more '
                    '(online)']
    filled.engine.dispose()
    assert forked(filled) == 0
    kept(filled)
    defaults = {one['name']: one['default'] for one in sa.inspect(
        filled.engine).get_columns('r_boxes')}
    assert set(defaults.values()) == {None}


def test_who_goes_back_gets_the_old_name_back(filled):
    """Whether the rename was applied, or its apply was killed."""
    kept = {name: one for name, one in OLD[0]['properties'].items()
            if name != 'size'}
    new = (box({**kept, 'width': NEW[0]['properties']['width']}),)
    before = filled.rows(OLD, 'box')
    filled.apply(new)
    assert filled.plan(OLD).refusals == ()
    filled.apply(OLD)
    assert filled.rows(OLD, 'box') == before
    filled.engine.dispose()
    killed = forked(filled, 'schema_step=kill', new)
    assert killed == -signal.SIGKILL
    assert filled.plan(OLD).refusals == ()
    filled.apply(OLD)
    assert filled.plan(OLD).lines == []
    assert filled.rows(OLD, 'box') == before


def test_of_two_applies_at_once_the_second_waits_and_finds_it_done(filled):
    both = [started(filled, NEW, 'schema_step=sleep 0.2') for _ in range(2)]
    outcomes = [ended(one) for one in both]
    assert [status for status, _, _ in outcomes] == [0, 0], outcomes
    told = sorted(one.splitlines()[0].split()[0] for _, one, _ in outcomes)
    assert told == ['STEP', 'The']
    kept(filled)


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_a_record_made_after_the_first_look_is_seen(filled):
    """It breaks the new rule: writers go on with the old types."""
    new = (box({**OLD[0]['properties'], 'size': {
        'type': 'integer', 'maximum': 5}}, unique=[['text']],
        indexes=[['size']]),)
    made = []

    def progress(line: str) -> None:
        if not made and line.endswith('records'):
            with engine.writer(filled.engine).begin() as connection:
                made.append(connection.execute(sa.text(
                    "UPDATE r_boxes SET text = 't0'")))

    with pytest.raises(apply.PlanRefused, match='unique .text. is new: 6 '
                       'records break it'):
        filled.apply(new, progress=progress)
    assert made
    with filled.engine.connect() as connection:
        assert not applied_types.writes_blocked(connection)
    assert filled.plan(OLD).lines == []


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_a_step_gives_way_to_who_reads_for_long(filled, monkeypatch):
    """Else everybody who reads after it would wait behind the step."""
    for name, words in apply._SHORT_LOCK_WAIT.items():
        monkeypatch.setitem(apply._SHORT_LOCK_WAIT, name,
                            re.sub('5', '1', words))
    reader = filled.engine.connect()
    reader.execute(sa.text('SELECT * FROM r_boxes')).all()
    told: list[str] = []

    def progress(line: str) -> None:
        told.append(line)
        if line.startswith('waiting'):
            reader.close()

    filled.apply(NEW, progress=progress)
    assert 'waiting for those who read the table' in told
    kept(filled)


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
def test_an_apply_that_fails_on_its_way_says_so(filled):
    """Nobody writes until it is finished: that must not go unnoticed."""
    def driven(statement: str) -> None:
        with filled.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    driven('CREATE TABLE mine AS SELECT 1 AS one; '
           'CREATE INDEX uq_boxes_text_width ON mine (one)')
    status, _, why = ended(started(filled, NEW))
    assert status == 2
    assert 'relation "uq_boxes_text_width" already exists' in why
    assert why.splitlines()[-1].endswith(
        'some steps are taken, and nobody can write until the others are: '
        'run pileus-manage schema apply again')
    driven('DROP TABLE mine')
    assert ended(started(filled, NEW))[0] == 0
    kept(filled)


def test_many_rows_are_filled_a_batch_at_a_time(schema, monkeypatch):
    monkeypatch.setattr('service.storage.schema.backfill.BATCH_ROWS', 2)
    told: list[str] = []
    schema.apply((box(),))
    schema.fill((box(),), 'box', [{'text': None}] * 5)
    new = (box({'text': {**changes.STRING, 'backfill': 'x'}},
               required=['text']),)
    schema.apply(new, progress=told.append)
    assert [one['text'] for one in schema.rows(new, 'box')] == ['x'] * 5
    if schema.engine.dialect.name != 'sqlite':
        assert [one for one in told if one.endswith('records')] == [
            f'box.text: {n} of 5 records' for n in (2, 4, 5)]
