# SPDX-License-Identifier: Apache-2.0
"""Several type files: names, references, directories and the catalogue."""

import os
from pathlib import Path

import pytest

from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import MISSING, Choice, ExclusivePeriod
from service.domain.typefiles import type_files
from tests.unit.domain.declared import (
    box,
    box_type,
    mistakes,
    parsed,
    prop,
    text,
)

SHIPPED = Path(__file__).parents[4] / 'etc/pileus/resources.d'
TEXT = {'type': 'string'}


def typed(name, properties=None, **more):
    return text({'name': name, 'plural': name + 's',
                 'properties': properties or {}, **more})


# Between files

def test_an_unknown_reference_suggests_a_similar_type():
    assert mistakes(host=typed('host', {'rack_id': {'references': 'rak'}}),
                    rack=typed('rack')) == [
        'host.yaml: properties.rack_id: references unknown type "rak"; did '
        'you mean "rack"?']


def test_a_reference_resolves_whatever_the_order_of_files():
    both = parsed(a=typed('host', {'rack_id': {'references': 'rack'},
                                   'host_id': {'references': 'host'}}),
                  b=typed('rack'))
    assert [(referrer.declared.name, referrer.property.name)
            for referrer in both.referrers('rack')] == [('host', 'rack_id')]


def test_a_second_declaration_of_a_name_or_plural_is_a_mistake():
    assert mistakes(a=typed('host'), b=typed('host', plural='hosts2'),
                    c=typed('server', plural='hosts')) == [
        'b.yaml: name: "host" is already declared in a.yaml',
        'c.yaml: plural: "hosts" is already declared in a.yaml']


def test_a_dropped_type_frees_its_plural_but_not_its_name():
    dropped = text({'name': 'host', 'plural': 'hosts', 'dropped': True})
    assert mistakes(a=dropped, b=typed('server', plural='hosts')) == []
    assert mistakes(a=dropped, b=typed('host', plural='machines')) == [
        'b.yaml: name: "host" is already declared in a.yaml']


def test_a_reference_to_a_dropped_type_is_a_mistake():
    assert mistakes(host=typed('host', {'r': {'references': 'rack'}}),
                    rack=text({'name': 'rack', 'dropped': True})) == [
        'host.yaml: properties.r: references the dropped type "rack"']


def test_a_cloud_type_can_only_reference_cloud_types():
    def refers(own, other):
        return mistakes(a=typed('host', {'r': {'references': 'rack'}},
                                scope=own), b=typed('rack', scope=other))
    assert refers('project', 'cloud') == []
    assert refers('project', 'project') == []
    assert refers('cloud', 'cloud') == []
    assert refers('cloud', 'project') == [
        'a.yaml: properties.r: references "rack", a type of scope project; '
        'a type of scope cloud can only reference types of scope cloud']


@pytest.mark.parametrize('reference, own, other, mistake', [
    ({}, {}, {'since': '1.1'},
     'exists since 1.0, but references "rack", which exists only since 1.1'),
    ({'since': '1.1'}, {}, {'since': '1.1'}, None),
    ({}, {'since': '1.1'}, {'since': '1.1'}, None),
    ({'since': '1.9'}, {}, {'since': '1.10'},
     'exists since 1.9, but references "rack", which exists only since 1.10'),
    ({'since': '1.2', 'renamed_from': 'old'}, {}, {'since': '1.1'},
     'exists since 1.0, but references "rack", which exists only since 1.1'),
    ({}, {}, {'until': '1.3'},
     'references "rack", which ends at 1.3; the property needs an until of '
     '1.3 or lower'),
    ({'until': '1.4'}, {}, {'until': '1.3'},
     'references "rack", which ends at 1.3; the property needs an until of '
     '1.3 or lower'),
    ({'until': '1.3'}, {}, {'until': '1.3'}, None),
    ({}, {'until': '1.2'}, {'until': '1.3'}, None),
])
def test_a_reference_exists_only_in_versions_of_its_target(reference, own,
                                                           other, mistake):
    assert mistakes(
        a=typed('host', {'r': {'references': 'rack', **reference}}, **own),
        b=typed('rack', **other)) == (
        [f'a.yaml: properties.r: {mistake}'] if mistake else [])


def test_a_type_with_an_unreadable_file_is_not_reported_as_unknown():
    """rack.yaml has one mistake; the file that references it has none."""
    refers = typed('host', {'r': {'references': 'rack'}})
    assert mistakes(host=refers, rack='name: rack\nname: rack\n') == [
        'rack.yaml: line 2: duplicate key "name", first on line 1']
    assert mistakes(host=refers, rack='') == [
        'rack.yaml: is empty; it must declare a type']
    assert mistakes(host=refers, rack='name: Rack\nplural: racks\n') == [
        'rack.yaml: name: must be 1 to 48 lower-case letters, digits and '
        'underscores, beginning with a letter, not "Rack"']


def test_all_mistakes_of_all_files_are_reported_sorted_without_duplicates():
    lines = mistakes(
        b=typed('b', {'x': {'type': 'string', 'minLength': -1}},
                required=['y']),
        a='[',
        c=typed('b', {'r': {'references': 'nobody'}}))
    assert lines == sorted(set(lines))
    assert [line.split(':')[0] for line in lines] == [
        'a.yaml', 'b.yaml', 'b.yaml', 'c.yaml', 'c.yaml', 'c.yaml']


def test_the_error_has_one_line_for_each_mistake():
    with pytest.raises(type_files.DeclarationError) as caught:
        parsed(a='', b='')
    assert str(caught.value).splitlines() == list(caught.value.mistakes)
    assert len(caught.value.mistakes) == 2


def test_names_and_values_cannot_forge_a_log_line():
    lines = mistakes(**{'a\nb': typed('x', {'p\nq': {'type': 'r\ns'}})})
    assert len(lines) == 2
    assert not any('\n' in line for line in lines)


def test_a_directory_without_type_files_is_an_empty_catalogue():
    assert type_files.parse({}).live == ()
    assert type_files.parse({}).maximum == FIRST_VERSION


# Directories

def test_only_files_with_the_yaml_ending_are_read(tmp_path):
    (tmp_path / 'b.yaml').write_text(typed('bee'))
    (tmp_path / 'a.yaml').write_text(typed('ant'))
    (tmp_path / '.#a.yaml').write_text('an editor\'s lock')
    (tmp_path / 'a.yaml~').write_text('a backup')
    (tmp_path / 'README').write_text('for people')
    (tmp_path / 'more').mkdir()
    catalogue = type_files.read(tmp_path)
    assert list(catalogue.types) == ['ant', 'bee']
    assert [declared.file for declared in catalogue.live] == [
        'a.yaml', 'b.yaml']


def test_an_unreadable_type_file_is_a_mistake(tmp_path):
    (tmp_path / 'a.yml').write_text(typed('ant'))
    (tmp_path / 'b.yaml').mkdir()
    (tmp_path / 'c.yaml').write_bytes(b'name: \xff\n')
    (tmp_path / 'd.yaml').write_bytes(b'#' * (256 * 1024 + 1))
    (tmp_path / 'e.yaml').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(type_files.DeclarationError) as caught:
        type_files.read(tmp_path)
    assert caught.value.mistakes == (
        'a.yml: the file name must end in .yaml',
        'b.yaml: is not a file',
        'c.yaml: is not UTF-8 text: invalid start byte at byte 6',
        'd.yaml: is larger than 256 KiB, the maximum',
        'e.yaml: is not a file')


def test_a_file_with_a_character_cut_at_the_limit_is_too_large(tmp_path):
    (tmp_path / 'a.yaml').write_bytes(b'#' * (256 * 1024) + 'ä'.encode())
    with pytest.raises(type_files.DeclarationError, match='larger than'):
        type_files.read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads every file')
def test_a_file_without_read_permission_is_a_mistake(tmp_path):
    (tmp_path / 'a.yaml').write_text(typed('ant'))
    (tmp_path / 'a.yaml').chmod(0)
    with pytest.raises(type_files.DeclarationError) as caught:
        type_files.read(tmp_path)
    assert caught.value.mistakes == (
        'a.yaml: cannot be read: Permission denied',)


def test_a_missing_directory_is_a_mistake(tmp_path):
    with pytest.raises(type_files.DeclarationError) as caught:
        type_files.read(tmp_path / 'none')
    assert caught.value.mistakes == (
        f'{tmp_path}/none: cannot be read: No such file or directory',)


def test_read_and_parse_return_the_same_type(tmp_path):
    (tmp_path / 'box.yaml').write_text(box({'a': TEXT}))
    read = type_files.read(tmp_path).types['box']
    assert dict(read.properties) == dict(box_type({'a': TEXT}).properties)


# The catalogue

def test_a_type_has_the_values_of_its_file():
    declared = box_type(
        {'a': TEXT, 'b': {'type': 'string', 'format': 'date-time'},
         'c': {'type': 'string', 'format': 'date-time'},
         'old': {'dropped': True}},
        description='A box.\n', scope='project', since='1.2', until='2.0',
        required=['a'], unique=[['a']], indexes=[['b'], ['c', 'a']],
        exclusive={'period': ['b', 'c'], 'over': ['a'],
                   'when': {'a': ['x', 'y']}}, quota=7,
        policy={'create': 'role:admin'}, controller='site.boxes:Boxes')
    assert (declared.name, declared.plural, declared.path) == (
        'box', 'boxes', 'boxes')
    assert declared.description == 'A box.'
    assert (declared.since, declared.until) == (Version(1, 2), Version(2, 0))
    assert declared.unique == (('a',),)
    assert declared.indexes == (('b',), ('c', 'a'))
    assert declared.exclusive == (ExclusivePeriod(
        ('b', 'c'), ('a',), (('a', ('x', 'y')),)),)
    assert (declared.quota, declared.policy) == (7, {'create': 'role:admin'})
    assert declared.controller == 'site.boxes:Boxes'
    assert [prop.name for prop in declared.live] == ['a', 'b', 'c']
    assert declared.properties['old'].dropped
    assert (declared.file, declared.owned, declared.dropped) == (
        'box.yaml', True, False)


def test_a_type_is_frozen():
    declared = box_type({'a': TEXT})
    for frozen in (declared.properties, declared.policy,
                   declared.properties['a'].schema):
        with pytest.raises(TypeError):
            frozen['b'] = 1


def test_a_tombstone_exists_in_no_version():
    catalogue = parsed(host=text({'name': 'host', 'dropped': True}))
    assert catalogue.types['host'].dropped
    assert catalogue.live == ()
    assert not catalogue.types['host'].known(FIRST_VERSION)


def test_a_property_is_optional_and_in_the_first_version_by_default():
    built = prop(type='integer')
    assert (built.kind, dict(built.schema)) == ('integer', {'type': 'integer'})
    assert (built.since, built.until, built.default) == (
        FIRST_VERSION, None, MISSING)
    assert built.nullable and not built.required and not built.immutable


def test_a_property_has_the_first_version_of_its_type_by_default():
    declared = box_type({'a': TEXT, 'b': {**TEXT, 'since': '1.4'}},
                        since='1.2')
    assert declared.properties['a'].since == Version(1, 2)
    assert declared.properties['b'].since == Version(1, 4)
    assert [shape.since for shape in declared.shapes] == [(1, 2), (1, 4)]


def test_a_string_has_a_maximum_length_unless_it_is_a_time():
    assert prop(type='string').max_length == 255
    assert prop(type='string').schema['maxLength'] == 255
    assert prop(type='string', maxLength=2048).max_length == 2048
    assert prop(type='string', format='date-time').max_length is None
    assert 'maxLength' not in prop(type='string', format='date-time').schema
    assert prop(type='array', items=TEXT).schema['items'] == TEXT


def test_a_reference_is_a_string_in_uuid_format():
    built = prop(references='box', on_delete='cascade')
    assert (built.kind, built.references, built.on_delete) == ('string', 'box',
                                                         'cascade')
    assert (built.format, built.max_length) == ('uuid', 36)
    assert prop(references='box').on_delete == 'restrict'


def test_enum_choices_know_their_versions():
    built = prop(type='string', since='1.1', enum=[
        'a', {'const': 'b', 'since': '1.3'}, {'const': 'c', 'until': '1.2'}])
    assert built.enum == (Choice('a', Version(1, 1)),
                        Choice('b', Version(1, 3)),
                        Choice('c', Version(1, 1), Version(1, 2)))
    assert built.choices(Version(1, 1)) == ('a', 'c')
    assert built.choices(Version(1, 3)) == ('a', 'b')
    assert 'enum' not in built.schema


def test_the_enum_of_a_renamed_property_starts_with_the_type():
    built = prop(type='string', since='1.2', renamed_from='old', enum=['a'])
    assert built.choices(FIRST_VERSION) == ('a',)
    assert (built.name_at(FIRST_VERSION), built.name_at(Version(1, 2))) == (
        'old', 'it')


def test_a_const_is_an_enum_of_one():
    built = prop(type='string', const='a')
    assert built.choices(FIRST_VERSION) == ('a',)
    assert 'const' not in built.schema


@pytest.mark.parametrize('words, value, stored', [
    ({'type': 'integer'}, 1.0, 1),
    ({'type': 'number'}, 1, 1.0),
    ({'type': 'string', 'format': 'date-time'}, '2026-01-01T01:00:00+01:00',
     '2026-01-01T00:00:00.000000Z'),
    ({'type': 'object'}, {'a': 1}, {'a': 1}),
    ({'type': 'boolean'}, False, False),
])
@pytest.mark.parametrize('word', ['default', 'backfill'])
def test_a_default_or_backfill_is_built_in_stored_form(word, words, value,
                                                   stored):
    got = getattr(prop(**words, **{word: value}), word)
    assert got == stored and type(got) is type(stored)


def test_a_property_with_a_default_is_not_nullable():
    assert not prop(type='integer', default=0).nullable


def test_a_property_has_the_roles_of_its_file():
    built = prop(type='string', read_roles=['admin'], write_roles=['a', 'b'])
    assert (built.read_roles, built.write_roles) == (('admin',), ('a', 'b'))


# The shipped types

def test_the_shipped_types_are_valid_and_reference_each_other():
    catalogue = type_files.read(SHIPPED)
    assert set(catalogue.types) == {'rack', 'host', 'maintenance'}
    assert catalogue.maximum > FIRST_VERSION
    assert [referrer.declared.name
            for referrer in catalogue.referrers('rack')] == ['host']
    assert [referrer.declared.name
            for referrer in catalogue.referrers('host')] == ['maintenance']


def test_the_shipped_host_has_the_documented_keys_and_versions():
    host = type_files.read(SHIPPED).types['host']
    assert {name for name, prop in host.properties.items()
            if prop.required} == {'name', 'serial'}
    assert host.unique == (('serial',), ('name',))
    assert {('status',), ('rack_id', 'name')} <= set(host.indexes)
    assert host.properties['serial'].immutable
    assert host.properties['bmc_url'].since == Version(1, 1)
    first = host.at(FIRST_VERSION)
    assert host.properties['bmc_url'].name not in first.properties


def test_every_shipped_type_has_a_description():
    for declared in type_files.read(SHIPPED).live:
        assert declared.description.endswith('.')
