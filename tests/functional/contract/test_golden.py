# SPDX-License-Identifier: Apache-2.0
"""What each version answered when it was released, it answers for ever.

``golden.json`` holds requests and their replies for the types of
``types-golden``. A reply holds from its ``since`` on, until the next one of
its request. All requests are replayed at every version from 1.0 to the
newest, each version over a database of its own; what is ``stored`` there
first was written by clients of later versions.

After a wanted change of replies the file is made anew with
``PILEUS_TEST_RECORD=1`` and its difference read line by line: a version that
was released must not be in it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from service.domain.catalogue.microversion import Version
from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

HERE = Path(__file__).parent
FILE = HERE / 'golden.json'
GOLDEN = json.loads(FILE.read_text())
TYPES = {path.stem: path.read_text()
         for path in (HERE / 'types-golden').glob('*.yaml')}
VERSIONS = [Version(1, minor) for minor in range(12)]


@pytest.fixture
def served(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, TYPES))


@pytest.mark.parametrize('version', VERSIONS, ids=str)
def test_a_version_answers_as_it_always_did(served, version):
    """MV-3, MV-11, MV-12, INT-1, INT-2, INT-3: routes, bodies, queries,
    replies and refusals."""
    store(served)
    for step in GOLDEN['steps']:
        told = plain(ask(served, step['request'], version))
        assert told == expected(step['replies'], version), step['request']


def test_no_golden_reply_is_a_failure():
    assert {one['status'] for step in GOLDEN['steps']
            for one in step['replies']} == {200, 201, 204, 400, 404}


def test_the_golden_versions_are_all_there_are(served):
    """MV-7: from the lowest to the highest that discovery names."""
    told = served.request('GET', '/').json['versions'][0]
    assert told['min_version'] == str(VERSIONS[0])
    assert told['max_version'] == str(VERSIONS[-1])


def test_every_version_differs_from_the_one_before_it_in_some_reply():
    """MV-11: from 1.9 to 1.10 as well, which as text would come before."""
    since = {one['since'] for step in GOLDEN['steps']
             for one in step['replies']}
    changed = {'1.0', '1.2', '1.3', '1.4', '1.5', '1.9', '1.10', '1.11'}
    assert since == changed


def store(served: Application) -> None:
    for one in GOLDEN['stored']:
        reply = ask(served, one, parsed(one['version']))
        assert reply.status == 201, reply.body


def ask(served: Application, request: dict[str, Any],
        version: Version) -> Reply:
    headers = {'OpenStack-API-Version': f'pileus {version}',
               **request.get('headers', {})}
    return served.request(request['method'], request['path'],
                          request.get('body'), headers)


def plain(reply: Reply) -> dict[str, Any]:
    """A reply without what is another one each time (times and ids) and what
    is for people and may be said better."""
    told: dict[str, Any] = {'status': reply.status}
    for name in ('Location', 'Allow'):
        if name in reply.headers:
            told[name.lower()] = _without(reply.headers[name])
    if reply.body:
        told['document'] = _told(json.loads(_without(reply.body.decode())))
    return told


def _without(text: str) -> str:
    text = re.sub(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"', '"TIME"', text)
    return re.sub(r'(?!7bd6bd13)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                  'ID', text)


def _told(document: Any) -> Any:
    """Of an error the code and the place, of a type its schema and lists."""
    if 'errors' in document:
        return [{name: one[name] for name in ('code', 'source')
                 if name in one} for one in document['errors']]
    if 'type' in document:
        return {name: document['type'][name]
                for name in ('since', 'until', 'schema')}
    if 'types' in document:
        return [one['name'] for one in document['types']]
    return document


def expected(replies: list[dict[str, Any]], version: Version) -> Any:
    known = [one for one in replies if parsed(one['since']) <= version]
    return {name: value for name, value in known[-1].items()
            if name != 'since'}


def parsed(text: str) -> Version:
    return Version(*map(int, text.split('.')))


def record(directory: Path) -> None:
    """Write the replies of now into the file."""
    for step in GOLDEN['steps']:
        step['replies'] = []
    for version in VERSIONS:
        served = Application(config_dir(directory / str(version), TYPES))
        store(served)
        for step in GOLDEN['steps']:
            told = plain(ask(served, step['request'], version))
            if not step['replies'] or told != expected(step['replies'],
                                                       version):
                step['replies'].append({'since': str(version), **told})
    FILE.write_text(json.dumps(GOLDEN, indent=1) + '\n')


if os.environ.get('PILEUS_TEST_RECORD'):
    def test_the_replies_of_now_are_recorded(tmp_path):
        record(tmp_path)
