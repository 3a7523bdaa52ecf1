# SPDX-License-Identifier: Apache-2.0
"""pileus-manage: output, exit status and help."""

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


def test_types_check_returns_0_without_breaking_changes(capsys):
    assert manage.main(['types', 'check', SHIPPED, SHIPPED]) == 0
    assert capsys.readouterr().out == (
        'No change breaks a client of an existing version.\n')


def test_types_check_returns_1_and_lists_file_property_and_version(
        capsys, changed):
    assert manage.main(['types', 'check', SHIPPED, changed]) == 1
    assert capsys.readouterr().out.splitlines() == [
        'FILE       PROPERTY                  VERSION  CHANGE',
        'host.yaml  properties.position_unit  1.0      minimum changes from 1 '
        'to 2']


def test_types_check_prints_json(capsys, changed):
    assert manage.main(['types', 'check', SHIPPED, changed,
                        '--format', 'json']) == 1
    assert json.loads(capsys.readouterr().out) == [{
        'file': 'host.yaml', 'property': 'properties.position_unit',
        'version': '1.0', 'change': 'minimum changes from 1 to 2'}]
    assert manage.main(['types', 'check', changed, changed,
                        '--format', 'json']) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_types_check_names_the_directory_of_a_mistake(capsys, changed):
    (Path(changed) / 'rack.yaml').write_text('name: rack\n')
    assert manage.main(['types', 'check', SHIPPED, changed]) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == (f'pileus-manage: {changed}/rack.yaml: lacks the '
                            f'required keyword "plural"\n')


def test_types_check_names_a_missing_directory(capsys):
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
    assert manage.main([word.format(tmp_path) for word in words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['NAME', 'COLLECTION', 'SCOPE', 'SINCE',
                                'UNTIL', 'FILE']
    assert [line.split()[:3] for line in lines[1:]] == [
        ['host', '/v1/hosts', 'project'],
        ['maintenance', '/v1/maintenances', 'project'],
        ['rack', '/v1/racks', 'cloud']]


def test_types_list_prints_json(capsys):
    assert manage.main(['--config-dir', str(CONFIG), 'types', 'list',
                        '--format', 'json']) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[0] == {'name': 'host', 'collection': '/v1/hosts',
                         'scope': 'project', 'since': '1.0', 'until': '',
                         'file': 'host.yaml'}


def test_types_list_says_that_no_type_is_declared(capsys, tmp_path):
    (tmp_path / 'resources.d').mkdir()
    assert manage.main(['--config-dir', str(tmp_path), 'types', 'list']) == 0
    assert capsys.readouterr().out == 'No type is declared.\n'


def test_a_configuration_error_is_one_line(capsys):
    assert manage.main(['--config-dir', '/nowhere', 'types', 'list']) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith('pileus-manage: ')
    assert '/nowhere' in captured.err and captured.err.count('\n') == 1


@pytest.mark.parametrize('words', [
    [], ['types'], ['types', 'chek'], ['types', 'check', 'one'],
    ['types', 'check', 'a', 'b', '--format', 'xml'],
    ['types', 'check', 'a', 'b', '--config-dir', 'c'],
])
def test_an_unknown_command_prints_the_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        manage.main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith('usage: pileus-manage')


def test_every_command_is_in_the_help_of_its_noun(capsys):
    for noun in {command.words[0] for command in manage.COMMANDS}:
        with pytest.raises(SystemExit) as caught:
            manage.main([noun, '--help'])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        for command in manage.COMMANDS:
            if command.words[0] == noun:
                alone = f'usage: pileus-manage {noun} '
                assert (alone if command.words == (noun,)
                        else f'\n    {command.words[1]}') in shown


def test_every_noun_and_command_has_a_sentence_of_help(capsys):
    """Each sentence can be understood without the others."""
    commands = (*manage.COMMANDS, *parser.installed())
    nouns = {command.words[0] for command in commands
             if len(command.words) > 1}
    assert nouns == {*parser.NOUNS}
    for sentence in (*parser.NOUNS.values(),
                     *(command.help for command in commands)):
        assert sentence[0].isupper() and sentence.endswith('.')
        assert not re.search(r'\b(such|these|those) (a )?(file|step)',
                             sentence)
    with pytest.raises(SystemExit):
        manage.main(['--help'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert all(sentence in shown for sentence in parser.NOUNS.values())


def test_a_command_of_another_package_can_load_the_configuration(capsys):
    """As commands of the group ``pileus.commands`` do."""
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
    """A package on the path with one entry in the group is enough."""
    (tmp_path / 'site_commands.py').write_text(
        'from service.commands.cli.parser import Command\n'
        'row = Command(("site", "greet"), "Greet.", lambda arguments: '
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
def test_a_closed_pipe_causes_no_traceback(unbuffered):
    """As in ``pileus-manage types list | head -0``."""
    with subprocess.Popen(
            [sys.executable, '-m', 'service.commands.manage',
             '--config-dir', str(CONFIG), 'types', 'list'],
            cwd=CONFIG.parents[1],
            env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as started:
        started.stdout.close()
        errors = started.stderr.read().decode()
    assert errors == ''
    assert started.returncode == 2
