# SPDX-License-Identifier: Apache-2.0
"""Each version answers as it did when it was released.

``golden.json`` has requests and their replies for the types of
``types-golden``. A reply is valid from its version ``since`` up to the
``since`` of the request's next reply. The test sends all requests at every
version from 1.0 to the newest, with a database for each version. The records
of ``stored`` are created first, by clients of later versions.

To record an intended change of replies, run this file with
``PILEUS_TEST_RECORD=1``, then read the difference line by line: no released
version may change.
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
def application(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, TYPES))


@pytest.mark.parametrize('version', VERSIONS, ids=str)
def test_a_version_answers_as_when_it_was_released(application, version):
    """MV-3, MV-11, MV-12, INT-1, INT-2, INT-3: routes, bodies, queries,
    replies and errors."""
    store_records(application)
    for step in GOLDEN['steps']:
        reply = stable_parts(send(application, step['request'], version))
        assert reply == expected(step['replies'], version), step['request']


def test_the_golden_replies_have_all_expected_statuses():
    assert {reply['status'] for step in GOLDEN['steps']
            for reply in step['replies']} == {200, 201, 204, 400, 404}


def test_the_golden_file_covers_all_versions_of_discovery(application):
    """MV-7: from the minimum to the maximum version."""
    versions = application.request('GET', '/').json['versions'][0]
    assert versions['min_version'] == str(VERSIONS[0])
    assert versions['max_version'] == str(VERSIONS[-1])


def test_every_version_that_changes_a_reply_is_in_the_file():
    """MV-11: 1.10 comes after 1.9, although not in the order of texts."""
    since = {reply['since'] for step in GOLDEN['steps']
             for reply in step['replies']}
    changed = {'1.0', '1.2', '1.3', '1.4', '1.5', '1.9', '1.10', '1.11'}
    assert since == changed


def store_records(application: Application) -> None:
    for request in GOLDEN['stored']:
        reply = send(application, request, parse_version(request['version']))
        assert reply.status == 201, reply.body


def send(application: Application, request: dict[str, Any],
         version: Version) -> Reply:
    headers = {'OpenStack-API-Version': f'pileus {version}',
               **request.get('headers', {})}
    return application.request(request['method'], request['path'],
                               request.get('body'), headers)


def stable_parts(reply: Reply) -> dict[str, Any]:
    """Return the parts of a reply that must not change.

    They exclude times and ids, which differ in each run, and texts for
    people.
    """
    parts: dict[str, Any] = {'status': reply.status}
    for name in ('Location', 'Allow'):
        if name in reply.headers:
            parts[name.lower()] = _normalize(reply.headers[name])
    if reply.body:
        parts['document'] = _stable_document(
            json.loads(_normalize(reply.body.decode())))
    return parts


def _normalize(text: str) -> str:
    text = re.sub(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"', '"TIME"', text)
    return re.sub(r'(?!7bd6bd13)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                  'ID', text)


def _stable_document(document: Any) -> Any:
    """Reduce errors to code and source, types to versions and schema."""
    if 'errors' in document:
        return [{name: item[name] for name in ('code', 'source')
                 if name in item} for item in document['errors']]
    if 'type' in document:
        return {name: document['type'][name]
                for name in ('since', 'until', 'schema')}
    if 'types' in document:
        return [item['name'] for item in document['types']]
    return document


def expected(replies: list[dict[str, Any]], version: Version) -> Any:
    valid = [reply for reply in replies
             if parse_version(reply['since']) <= version]
    return {name: value for name, value in valid[-1].items()
            if name != 'since'}


def parse_version(text: str) -> Version:
    return Version(*map(int, text.split('.')))


def record_replies(directory: Path) -> None:
    """Write the current replies into the file."""
    for step in GOLDEN['steps']:
        step['replies'] = []
    for version in VERSIONS:
        application = Application(config_dir(directory / str(version), TYPES))
        store_records(application)
        for step in GOLDEN['steps']:
            reply = stable_parts(send(application, step['request'], version))
            if not step['replies'] or reply != expected(step['replies'],
                                                        version):
                step['replies'].append({'since': str(version), **reply})
    FILE.write_text(json.dumps(GOLDEN, indent=1) + '\n')


if os.environ.get('PILEUS_TEST_RECORD'):
    def test_current_replies_are_recorded(tmp_path):
        record_replies(tmp_path)
