# SPDX-License-Identifier: Apache-2.0
"""DB09: applies that are killed, or run beside another apply, readers and
writers. Stored records stay, and the next apply completes a killed one."""

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
    """Start ``pileus-manage schema apply`` of these types."""
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
    """Wait for a process; return its status, stdout and stderr."""
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def forked(schema: Schema, failpoint: str = '',
           types: Sequence[Words] = NEW, killing_statement: str = '') -> int:
    """Apply types in a child process; return its exit code.

    The child is killed after a statement that begins with
    ``killing_statement``.
    """
    with warnings.catch_warnings():
        # If an earlier test imported eventlet, fork warns; the child uses no
        # green threads.
        warnings.simplefilter('ignore', DeprecationWarning)
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        failpoints.reach = failpoints.parse(failpoint)
        connected = engine.connect(config_files.load(
            ['--config-dir', str(schema.directory)]), time_limits=False)
        if killing_statement:
            sa.event.listen(connected, 'after_cursor_execute',
                            _killed_by(killing_statement))
        apply.apply(connected, catalogue(types))
        status = 0
    finally:
        os._exit(status)


def _killed_by(beginning: str) -> Callable[..., None]:
    def after(connection: object, cursor: object, statement: str,
              *arguments: object) -> None:
        if statement.startswith(beginning):
            os.kill(os.getpid(), signal.SIGKILL)
    return after


def assert_complete(schema: Schema) -> None:
    """The new types are applied and no value is lost."""
    assert schema.plan(NEW).lines == []
    rows = schema.rows(NEW, 'box')
    assert [{name: row[name] for name in KEPT[0]} for row in rows] == KEPT
    assert {'gone', 'size'}.isdisjoint(rows[0])
    with schema.engine.connect() as connection:
        assert not applied_types.writes_blocked(connection)


def steps_left(schema: Schema) -> int:
    """Count the steps that change the database."""
    return sum(bool(step.ddl) for step in schema.plan(NEW).steps)


def test_an_apply_that_is_killed_after_each_step_is_completed(filled):
    """On SQLite all steps are one transaction, which is rolled back."""
    left = steps_left(filled)
    sqlite = filled.engine.dialect.name == 'sqlite'
    filled.engine.dispose()
    while (status := forked(filled, 'schema_step=kill')) == -signal.SIGKILL:
        assert filled.plan(NEW).refusals == ()
        if sqlite:
            assert steps_left(filled) == left
            status = forked(filled)
            break
        assert 0 <= steps_left(filled) < left
        left = steps_left(filled)
        filled.engine.dispose()
    assert (status, left > 0) == (0, sqlite)
    assert_complete(filled)


def test_an_apply_that_is_killed_before_its_first_step_is_completed(filled):
    filled.engine.dispose()
    assert forked(filled, 'schema_begun=kill') == -signal.SIGKILL
    with filled.engine.connect() as connection:
        blocked = applied_types.writes_blocked(connection)
    assert blocked != (filled.engine.dialect.name == 'sqlite')
    assert blocked == ('database: complete an unfinished apply (none)'
                       in filled.plan(NEW).lines)
    filled.engine.dispose()
    assert forked(filled) == 0
    assert_complete(filled)


@pytest.mark.parametrize('schema_server', ['mysql'], indirect=True)
def test_an_apply_that_is_killed_within_a_step_leaves_no_default(filled):
    """MariaDB cannot roll back the new column. With a default left on it, an
    INSERT that forgets the column would not fail."""
    filled.engine.dispose()
    assert forked(
        filled, killing_statement='ALTER TABLE r_boxes ADD COLUMN label'
    ) == -signal.SIGKILL
    lines = [line for line in filled.plan(NEW).lines if 'default' in line]
    assert lines == ['box.label: drop the column default (online)']
    filled.engine.dispose()
    assert forked(filled) == 0
    assert_complete(filled)
    defaults = {column['name']: column['default'] for column in sa.inspect(
        filled.engine).get_columns('r_boxes')}
    assert set(defaults.values()) == {None}


def test_applying_the_old_files_reverts_a_rename(filled):
    """Whether the rename was applied or its apply was killed."""
    others = {name: prop for name, prop in OLD[0]['properties'].items()
              if name != 'size'}
    new = (box({**others, 'width': NEW[0]['properties']['width']}),)
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


def test_the_second_of_two_applies_waits_and_finds_nothing_to_do(filled):
    both = [started(filled, NEW, 'schema_step=sleep 0.2') for _ in range(2)]
    outcomes = [ended(process) for process in both]
    assert [status for status, _, _ in outcomes] == [0, 0], outcomes
    first_words = sorted(output.splitlines()[0].split()[0]
                         for _, output, _ in outcomes)
    assert first_words == ['STEP', 'The']
    assert_complete(filled)


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_a_violation_after_the_first_check_refuses_the_apply(filled):
    """Writes continue with the old types."""
    new = (box({**OLD[0]['properties'], 'size': {
        'type': 'integer', 'maximum': 5}}, unique=[['text']],
        indexes=[['size']]),)
    updates = []

    def progress(line: str) -> None:
        if not updates and line.endswith('records'):
            with engine.writer(filled.engine).begin() as connection:
                updates.append(connection.execute(sa.text(
                    "UPDATE r_boxes SET text = 't0'")))

    with pytest.raises(apply.PlanRefused, match='add unique .text.: 6 '
                                                'violating records'):
        filled.apply(new, progress=progress)
    assert updates
    with filled.engine.connect() as connection:
        assert not applied_types.writes_blocked(connection)
    assert filled.plan(OLD).lines == []


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_a_step_gives_up_waiting_for_a_long_read_and_is_retried(
        filled, monkeypatch):
    """Otherwise all later readers would wait behind the step."""
    for name, statement in apply._SHORT_LOCK_WAIT.items():
        monkeypatch.setitem(apply._SHORT_LOCK_WAIT, name,
                            re.sub('5', '1', statement))
    reader = filled.engine.connect()
    reader.execute(sa.text('SELECT * FROM r_boxes')).all()
    lines: list[str] = []

    def progress(line: str) -> None:
        lines.append(line)
        if line.startswith('waiting'):
            reader.close()

    filled.apply(NEW, progress=progress)
    assert 'waiting for readers of the table' in lines
    assert_complete(filled)


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
def test_an_apply_that_fails_says_that_writes_are_refused(filled):
    def execute(statement: str) -> None:
        with filled.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    execute('CREATE TABLE mine AS SELECT 1 AS one; '
            'CREATE INDEX uq_boxes_text_width ON mine (one)')
    status, _, errors = ended(started(filled, NEW))
    assert status == 2
    assert 'relation "uq_boxes_text_width" already exists' in errors
    assert errors.splitlines()[-1].endswith(
        'some steps are done, and writes are refused until the others are '
        'done too: run pileus-manage schema apply again')
    execute('DROP TABLE mine')
    assert ended(started(filled, NEW))[0] == 0
    assert_complete(filled)


def test_rows_are_filled_in_batches(schema, monkeypatch):
    monkeypatch.setattr('service.storage.schema.backfill.BATCH_ROWS', 2)
    lines: list[str] = []
    schema.apply((box(),))
    schema.fill((box(),), 'box', [{'text': None}] * 5)
    new = (box({'text': {**changes.STRING, 'backfill': 'x'}},
               required=['text']),)
    schema.apply(new, progress=lines.append)
    assert [row['text'] for row in schema.rows(new, 'box')] == ['x'] * 5
    if schema.engine.dialect.name != 'sqlite':
        assert [line for line in lines if line.endswith('records')] == [
            f'box.text: {n} of 5 records' for n in (2, 4, 5)]
