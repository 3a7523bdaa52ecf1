# SPDX-License-Identifier: Apache-2.0
"""Files that say the same have one digest; whatever they say is in it."""

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
def test_spelling_does_not_matter(same):
    assert digest(same) == digest(DESK)


def test_the_name_of_a_file_does_not_matter():
    assert digest(DESK, 'furniture.yaml') == digest(DESK)


@pytest.mark.parametrize(('word', 'other'), [
    ('default: 4', 'default: 3'), ('default: 4', 'default: 4, maximum: 9'),
    ('minLength: 1', 'minLength: 2'), ('required: [name]', 'quota: 1'),
    ('plural: desks', 'plural: desks\ndescription: A desk.')])
def test_every_word_matters(word, other):
    assert digest(DESK.replace(word, other)) != digest(DESK)


def test_a_catalogue_keeps_its_files_and_is_made_of_them_again():
    made = type_files.parse({'desk.yaml': DESK})
    assert made.files == {'desk.yaml': DESK}
    assert type_files.parse(made.files).digest == made.digest


def test_texts_are_read_without_being_looked_into(tmp_path):
    (tmp_path / 'desk.yaml').write_text('no: type')
    assert type_files.read_texts(tmp_path) == {'desk.yaml': 'no: type'}
    (tmp_path / 'leg.yml').write_text(DESK)
    with pytest.raises(DeclarationError,
                       match='leg.yml: the file name must end in'):
        type_files.read_texts(tmp_path)
