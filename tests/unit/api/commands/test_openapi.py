# SPDX-License-Identifier: Apache-2.0
"""pileus-manage openapi show prints the document that the service serves."""

import json

import pytest

from service.commands import manage

BOOK = '''
name: book
plural: books
properties:
  title: {type: string}
  pages: {type: integer, since: "1.3"}
'''


@pytest.fixture
def shown(tmp_path, capsys):
    (tmp_path / 'resources.d').mkdir()
    (tmp_path / 'resources.d' / 'book.yaml').write_text(BOOK)

    def show(*words):
        status = manage.main(['--config-dir', str(tmp_path), 'openapi',
                              'show', *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err
    return show


def test_the_newest_version_is_shown(shown):
    document = json.loads(shown()[1])
    assert document['info'] == {'title': 'pileus', 'version': '1.3'}
    assert 'pages' in document['components']['schemas']['book']['properties']


def test_an_older_version_can_be_printed(shown):
    document = json.loads(shown('--version', '1.0')[1])
    assert set(document['components']['schemas']['book_write'][
        'properties']) == {'title', 'tags', 'metadata'}


def test_the_url_option_sets_the_url_of_the_server(shown):
    document = json.loads(shown('--url', 'https://api.example.org/v1')[1])
    assert document['servers'] == [{'url': 'https://api.example.org/v1'}]


def test_an_unsupported_version_is_refused(shown):
    status, out, err = shown('--version', '1.9')
    assert (status, out) == (2, '')
    assert err == ('pileus-manage: --version 1.9: unsupported; valid are 1.0 '
                   'to 1.3\n')
