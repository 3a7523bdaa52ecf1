# SPDX-License-Identifier: Apache-2.0
"""pileus-manage as an operator or a script meets it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.commands import manage
from service.commands.cli import parser

CONFIG = Path(__file__).parents[3] / 'etc/pileus'
SHIPPED = str(CONFIG / 'resources.d')


@pytest.fixture
def changed(tmp_path):
    """The shipped types with one change that breaks clients."""
    shutil.copytree(SHIPPED, tmp_path / 'new')
    host = tmp_path / 'new/host.yaml'
    text = host.read_text()
    assert 'minimum: 1\n' in text
    host.write_text(text.replace('minimum: 1\n', 'minimum: 2\n', 1))
    return str(tmp_path / 'new')


def test_types_check_ends_with_0_where_nobody_is_hurt(capsys):
    assert manage.main(['types', 'check', SHIPPED, SHIPPED]) == 0
    assert capsys.readouterr().out == (
        'No change breaks a client of an existing version.\n')


def test_types_check_ends_with_1_and_names_file_property_version(
        capsys, changed):
    assert manage.main(['types', 'check', SHIPPED, changed]) == 1
    assert capsys.readouterr().out.splitlines() == [
        'FILE       PROPERTY                  VERSION  CHANGE',
        'host.yaml  properties.position_unit  1.0      minimum turns from 1 '
        'to 2']


def test_types_check_speaks_json(capsys, changed):
    assert manage.main(['types', 'check', SHIPPED, changed,
                        '--format', 'json']) == 1
    assert json.loads(capsys.readouterr().out) == [{
        'file': 'host.yaml', 'property': 'properties.position_unit',
        'version': '1.0', 'change': 'minimum turns from 1 to 2'}]
    assert manage.main(['types', 'check', changed, changed,
                        '--format', 'json']) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_types_check_names_the_directory_of_a_mistake(capsys, changed):
    (Path(changed) / 'rack.yaml').write_text('name: rack\n')
    assert manage.main(['types', 'check', SHIPPED, changed]) == 2
    said = capsys.readouterr()
    assert said.out == ''
    assert said.err == (f'pileus-manage: {changed}/rack.yaml: has no '
                        f'"plural"\n')


def test_types_check_names_a_directory_that_is_not_there(capsys):
    assert manage.main(['types', 'check', SHIPPED, '/nowhere']) == 2
    assert capsys.readouterr().err == (
        'pileus-manage: /nowhere: cannot be read: No such file or '
        'directory\n')


@pytest.mark.parametrize('words', [
    ['--config-dir', str(CONFIG), 'types', 'list'],
    ['types', 'list', '--config-dir', str(CONFIG)],
    ['--config-dir', '{}', 'types', 'list', '--config-dir', str(CONFIG)],
])
def test_types_list_takes_the_config_dir_on_either_side(capsys, words,
                                                        tmp_path):
    assert manage.main([one.format(tmp_path) for one in words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['NAME', 'COLLECTION', 'SCOPE', 'SINCE',
                                'UNTIL', 'FILE']
    assert [line.split()[:3] for line in lines[1:]] == [
        ['host', '/v1/hosts', 'project'],
        ['maintenance', '/v1/maintenances', 'project'],
        ['rack', '/v1/racks', 'cloud']]


def test_types_list_speaks_json(capsys):
    assert manage.main(['--config-dir', str(CONFIG), 'types', 'list',
                        '--format', 'json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0] == {'name': 'host', 'collection': '/v1/hosts',
                        'scope': 'project', 'since': '1.0', 'until': '',
                        'file': 'host.yaml'}


def test_types_list_of_nothing_says_so(capsys, tmp_path):
    (tmp_path / 'resources.d').mkdir()
    assert manage.main(['--config-dir', str(tmp_path), 'types', 'list']) == 0
    assert capsys.readouterr().out == 'No type is declared.\n'


def test_what_is_wrong_with_the_configuration_is_one_line(capsys):
    assert manage.main(['--config-dir', '/nowhere', 'types', 'list']) == 2
    said = capsys.readouterr()
    assert said.out == ''
    assert said.err.startswith('pileus-manage: ')
    assert '/nowhere' in said.err and said.err.count('\n') == 1


@pytest.mark.parametrize('words', [
    [], ['types'], ['types', 'chek'], ['types', 'check', 'one'],
    ['types', 'check', 'a', 'b', '--format', 'xml'],
    ['types', 'check', 'a', 'b', '--config-dir', 'c'],
])
def test_what_is_no_command_is_told_with_the_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        manage.main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith('usage: pileus-manage')


def test_every_command_is_in_the_help_of_its_noun(capsys):
    for noun in {one.words[0] for one in manage.COMMANDS}:
        with pytest.raises(SystemExit) as caught:
            manage.main([noun, '--help'])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        for one in manage.COMMANDS:
            if one.words[0] == noun:
                alone = f'usage: pileus-manage {noun} '
                assert (alone if one.words == (noun,)
                        else f'\n    {one.words[1]}') in shown


def test_every_noun_and_every_command_says_what_it_is_for(capsys):
    """In a sentence, which needs none of those around it."""
    commands = (*manage.COMMANDS, *parser.installed())
    nouns = {one.words[0] for one in commands if len(one.words) > 1}
    assert nouns == {*parser.NOUNS}
    for told in (*parser.NOUNS.values(), *(one.help for one in commands)):
        assert told[0].isupper() and told.endswith('.')
        assert not re.search(r'\b(such|these|those) (a )?(file|step)', told)
    with pytest.raises(SystemExit):
        manage.main(['--help'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert all(told in shown for told in parser.NOUNS.values())


def test_a_command_of_another_package_stands_beside_ours(capsys):
    """As rows of ``pileus.commands`` do, with configuration and without."""
    def run(arguments):
        print(parser.configuration(arguments).api.app)
        return 5
    rows = (*manage.COMMANDS, parser.Command(('policy', 'show'), 'x', run))
    arguments = parser.build('pileus-manage', 'x', rows).parse_args(
        ['policy', 'show', '--config-dir', str(CONFIG)])
    assert arguments.command.run(arguments) == 5
    assert capsys.readouterr().out == 'pileus\n'


def test_commands_of_installed_packages_are_found_by_entry_point(
        capsys, monkeypatch, tmp_path):
    """A package on the path with one row in the group is enough."""
    (tmp_path / 'site_commands.py').write_text(
        'from service.commands.cli.parser import Command\n'
        'row = Command(("site", "greet"), "Greet.", lambda given: '
        'print("hello") or 7, configured=False)\n')
    info = tmp_path / 'site_commands-1.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: site-commands\nVersion: 1\n')
    (info / 'entry_points.txt').write_text(
        f'[{parser.GROUP}]\nsite = site_commands:row\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert manage.main(['site', 'greet']) == 7
    assert capsys.readouterr().out == 'hello\n'


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_reader_that_leaves_early_gets_no_traceback(unbuffered):
    """As in ``pileus-manage types list | head -0``."""
    with subprocess.Popen(
            [sys.executable, '-m', 'service.commands.manage',
             '--config-dir', str(CONFIG), 'types', 'list'],
            cwd=CONFIG.parents[1],
            env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as started:
        started.stdout.close()
        said = started.stderr.read().decode()
    assert said == ''
    assert started.returncode == 2
