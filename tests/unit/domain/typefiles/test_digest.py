# SPDX-License-Identifier: Apache-2.0
"""Files that declare the same have the same digest, others another."""

from __future__ import annotations

import pytest

from service.domain.typefiles import type_files
from service.domain.typefiles.type_files import DeclarationError

DESK = '''
name: desk
plural: desks
properties:
  name: {type: string, minLength: 1}
  legs: {type: integer, default: 4}
required: [name]
'''


def digest(text: str, file: str = 'desk.yaml') -> str:
    return type_files.parse({file: text}).digest


@pytest.mark.parametrize('same', [
    f'# Desks.\n{DESK}', DESK.replace('desk\n', '"desk"\n'),
    DESK.replace('{type: integer, default: 4}',
                 '\n    default: 4\n    type: integer')])
def test_yaml_style_and_comments_do_not_change_the_digest(same):
    assert digest(same) == digest(DESK)


def test_the_file_name_does_not_change_the_digest():
    assert digest(DESK, 'furniture.yaml') == digest(DESK)


@pytest.mark.parametrize(('word', 'other'), [
    ('default: 4', 'default: 3'), ('default: 4', 'default: 4, maximum: 9'),
    ('minLength: 1', 'minLength: 2'), ('required: [name]', 'quota: 1'),
    ('plural: desks', 'plural: desks\ndescription: A desk.')])
def test_every_keyword_changes_the_digest(word, other):
    assert digest(DESK.replace(word, other)) != digest(DESK)


def test_the_files_of_a_catalogue_parse_to_the_same_digest():
    catalogue = type_files.parse({'desk.yaml': DESK})
    assert catalogue.files == {'desk.yaml': DESK}
    assert type_files.parse(catalogue.files).digest == catalogue.digest


def test_texts_are_read_without_being_parsed(tmp_path):
    (tmp_path / 'desk.yaml').write_text('no: type')
    assert type_files.read_texts(tmp_path) == {'desk.yaml': 'no: type'}
    (tmp_path / 'leg.yml').write_text(DESK)
    with pytest.raises(DeclarationError,
                       match='leg.yml: the file name must end in'):
        type_files.read_texts(tmp_path)
