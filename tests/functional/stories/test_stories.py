# SPDX-License-Identifier: Apache-2.0
"""Every story, told to the application and to what serves it.

A story is a file in ``stories/``, read by gabbi: requests in order, with the
answers they must have. ``types`` at its top names types of ``types/`` to
serve instead of the shipped ones, ``conf`` sets options, ``files`` are laid
into the config directory. Each story meets an empty database of its own, once
for each way to serve in ``SERVED``; what is told to gunicorn bears its mark,
for a run of its own.
"""

from __future__ import annotations

import contextlib
import unittest
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.validate import validator

import pytest
import yaml
from gabbi import case, suitemaker
from gabbi.handlers import RESPONSE_HANDLERS
from gabbi.handlers.base import ResponseHandler

from service.config import files as config_files
from service.hosting import paste
from tests.functional.harness import error_shape, planted_secrets
from tests.functional.harness.daemon import (
    Daemon,
    Gunicorn,
    config_dir,
    prepare,
)

FUNCTIONAL = Path(__file__).parents[1]
STORIES = sorted(path for room in ('stories', 'conformance')
                 for path in (FUNCTIONAL / room).rglob('*.yaml'))


class Target(NamedTuple):
    """Where a story's requests go; ``app``, if it is in this process. What
    logs must not have by its end goes into ``secrets``."""

    host: str
    port: int
    secrets: set[str]
    app: Callable[..., Any] | None = None


@contextlib.contextmanager
def in_process(directory: Path) -> Iterator[Target]:
    """The shipped pipeline, held to PEP 3333 on its outside."""
    prepare(directory)
    app = validator(paste.load(config_files.load(['--config-dir',
                                            str(directory)])))
    yield Target('127.0.0.1', 8088, set(), _with_bytes(app))


def _with_bytes(app: Callable[..., Any]) -> Callable[..., Any]:
    """httpx gives the path as text; PEP 3333 wants its bytes as Latin-1."""
    def called(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ['PATH_INFO'].encode().decode('latin-1')
        return app({**environ, 'PATH_INFO': path}, start_response)
    return called


@contextlib.contextmanager
def daemon(directory: Path) -> Iterator[Target]:
    """``pileus-api`` itself."""
    with Daemon(directory) as running:
        yield Target(running.host, running.port, running.secrets)


@contextlib.contextmanager
def gunicorn(directory: Path) -> Iterator[Target]:
    """Another server, with threads: what is promised holds without ours."""
    with Gunicorn(directory) as running:
        yield Target(running.host, running.port, running.secrets)


#: Ways to serve a config directory.
SERVED: Mapping[str, Callable[
    [Path], contextlib.AbstractContextManager[Target]]] = {
        'in process': in_process, 'daemon': daemon, 'gunicorn': gunicorn}

#: Marks of a way to serve, by which a run leaves it out or has it alone: what
#: the daemon does with a story's requests is the same on each database.
MARKED = {'gunicorn': pytest.mark.gunicorn, 'daemon': pytest.mark.once}


@pytest.mark.parametrize('story', STORIES, ids=lambda one: (
    f'{one.parent.name}-{one.stem}'))
@pytest.mark.parametrize('served', [
    pytest.param(way, marks=MARKED.get(way, ())) for way in SERVED])
def test_the_story_goes_as_told(served: str, story: Path,
                                tmp_path: Path) -> None:
    told = yaml.safe_load(story.read_text())
    _plant(told)
    directory = config_dir(tmp_path, types(told.pop('types', None)),
                           told.pop('conf', None))
    for name, text in told.pop('files', {}).items():
        (directory / name).write_text(text)
    with SERVED[served](directory) as target:
        target.secrets.update(planted_secrets.of_story(told))
        result = run(told, target, story.parent)
    broken = [*result.failures, *result.errors]
    assert not broken, '\n\n'.join(
        f'{test.test_data["name"]}:\n{why}' for test, why in broken)
    assert result.testsRun == len(told['tests'])


def _plant(told: dict[str, Any]) -> None:
    """Let every request of a story carry what no log may have (L03)."""
    defaults = told.setdefault('defaults', {})
    defaults['request_headers'] = planted_secrets.added(
        defaults.get('request_headers', {}),
        told.get('conf', {}).get('api', {}).get('auth_strategy'))


def test_every_story_begins_with_its_question() -> None:
    assert STORIES
    for story in STORIES:
        first = story.read_text().split('\n\n')[0]
        assert all(line.startswith('# ') for line in first.splitlines()), (
            story.name)


def types(names: list[str] | None) -> dict[str, str] | None:
    """The texts of these types; None for what is shipped."""
    if names is None:
        return None
    return {name: (FUNCTIONAL / 'types' / f'{name}.yaml').read_text()
            for name in names}


def run(told: Mapping[str, Any], target: Target,
        room: Path) -> unittest.TestResult:
    """Ask what a story asks; stop where an answer is not as told.

    ``room`` is where a step finds the files it names (``<@twice.json``).
    """
    suite = suitemaker.test_suite_from_dict(
        unittest.TestLoader(), 'story', dict(told), str(room),
        target.host, target.port, None,
        target.app and (lambda: target.app),
        handlers=[handler() for handler in (*RESPONSE_HANDLERS, Shape)])
    steps = list(suite)
    result = _FirstFailure()
    result.failfast = True
    try:
        suite.run(result)
    finally:
        for step in steps:
            step.http.client.close()
    return result


class Shape(ResponseHandler):
    """Of any answer that is an error, whether a step says so or not."""

    test_key_suffix = 'shape'

    def __call__(self, test: case.HTTPTestCase) -> None:
        response = dict(test.response)
        error_shape.check(test.test_data['method'],
                         int(response.pop('status')), response.items(),
                         test.output)


class _FirstFailure(unittest.TestResult):
    """gabbi's own text of a failure, without the traceback into gabbi."""

    def _exc_info_to_string(self, err: Any, test: Any) -> str:
        return str(err[1])
