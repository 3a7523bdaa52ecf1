# SPDX-License-Identifier: Apache-2.0
"""Run every story against the application, the daemon and gunicorn.

A story is a YAML file in ``stories/`` or ``conformance/`` that gabbi reads:
requests in order, each with the answer that it must get. ``types`` at its top
lists types of ``types/`` to serve instead of the shipped ones, ``conf`` sets
options, and ``files`` are written into the config directory. Each story runs
with an empty database, once for each server in ``SERVERS``; runs under
gunicorn have a marker.
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
    apply_types,
    config_dir,
)

FUNCTIONAL = Path(__file__).parents[1]
STORIES = sorted(path for folder in ('stories', 'conformance')
                 for path in (FUNCTIONAL / folder).rglob('*.yaml'))

#: Folder of the files that steps send (``<@duplicate-name.json``).
DATA = FUNCTIONAL / 'stories'


class Target(NamedTuple):
    """The server of a story's requests, or ``app`` in this process.

    At the end of the story, logs must contain none of ``secrets``.
    """

    host: str
    port: int
    secrets: set[str]
    app: Callable[..., Any] | None = None


@contextlib.contextmanager
def in_process(directory: Path) -> Iterator[Target]:
    """The shipped pipeline in this process, checked against PEP 3333."""
    apply_types(directory)
    app = validator(paste.load(config_files.load(
        ['--config-dir', str(directory)])))
    yield Target('127.0.0.1', 8088, set(), _with_bytes(app))


def _with_bytes(app: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the path as PEP 3333 demands: its bytes decoded as Latin-1.

    httpx passes the path as text.
    """
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ['PATH_INFO'].encode().decode('latin-1')
        return app({**environ, 'PATH_INFO': path}, start_response)
    return call


@contextlib.contextmanager
def daemon(directory: Path) -> Iterator[Target]:
    """``pileus-api``."""
    with Daemon(directory) as running:
        yield Target(running.host, running.port, running.secrets)


@contextlib.contextmanager
def gunicorn(directory: Path) -> Iterator[Target]:
    """gunicorn with threads: the API does not depend on our server."""
    with Gunicorn(directory) as running:
        yield Target(running.host, running.port, running.secrets)


#: Servers of a config directory.
SERVERS: Mapping[str, Callable[
    [Path], contextlib.AbstractContextManager[Target]]] = {
        'in process': in_process, 'daemon': daemon, 'gunicorn': gunicorn}

#: Markers that leave out or select a server. The daemon treats the requests
#: of a story alike on each database.
MARKS = {'gunicorn': pytest.mark.gunicorn,
         'daemon': pytest.mark.database_independent}


@pytest.mark.parametrize('path', STORIES, ids=lambda path: (
    f'{path.parent.name}-{path.stem}'))
@pytest.mark.parametrize('server', [
    pytest.param(server, marks=MARKS.get(server, ())) for server in SERVERS])
def test_every_answer_is_as_the_story_says(server: str, path: Path,
                                           tmp_path: Path) -> None:
    story = yaml.safe_load(path.read_text())
    _plant_secrets(story)
    directory = config_dir(tmp_path, types(story.pop('types', None)),
                           story.pop('conf', None))
    for name, text in story.pop('files', {}).items():
        (directory / name).write_text(text)
    with SERVERS[server](directory) as target:
        target.secrets.update(planted_secrets.in_story(story))
        result = run(story, target)
    failed = [*result.failures, *result.errors]
    assert not failed, '\n\n'.join(
        f'{test.test_data["name"]}:\n{why}' for test, why in failed)
    assert result.testsRun == len(story['tests'])


def _plant_secrets(story: dict[str, Any]) -> None:
    """Add secrets that no log may contain to all requests (L03)."""
    defaults = story.setdefault('defaults', {})
    defaults['request_headers'] = planted_secrets.with_planted(
        defaults.get('request_headers', {}),
        story.get('conf', {}).get('api', {}).get('auth_strategy'))


def test_every_story_begins_with_its_question_as_a_comment() -> None:
    assert STORIES
    for path in STORIES:
        first = path.read_text().split('\n\n')[0]
        assert all(line.startswith('# ') for line in first.splitlines()), (
            path.name)


def types(names: list[str] | None) -> dict[str, str] | None:
    """Return the YAML of each type; None means the shipped types."""
    if names is None:
        return None
    return {name: (FUNCTIONAL / 'types' / f'{name}.yaml').read_text()
            for name in names}


def run(story: Mapping[str, Any], target: Target) -> unittest.TestResult:
    """Run the steps of a story up to the first that fails."""
    suite = suitemaker.test_suite_from_dict(
        unittest.TestLoader(), 'story', dict(story), str(DATA),
        target.host, target.port, None,
        target.app and (lambda: target.app),
        handlers=[handler() for handler in (*RESPONSE_HANDLERS, ErrorShape)])
    steps = list(suite)
    result = _FirstFailure()
    result.failfast = True
    try:
        suite.run(result)
    finally:
        for step in steps:
            step.http.client.close()
    return result


class ErrorShape(ResponseHandler):
    """Check the shape of every error reply, whatever the step asserts."""

    test_key_suffix = 'shape'

    def __call__(self, test: case.HTTPTestCase) -> None:
        response = dict(test.response)
        error_shape.check(test.test_data['method'],
                          int(response.pop('status')), response.items(),
                          test.output)


class _FirstFailure(unittest.TestResult):
    """A result with gabbi's text of a failure, without its traceback."""

    def _exc_info_to_string(self, err: Any, test: Any) -> str:
        return str(err[1])
