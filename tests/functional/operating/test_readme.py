# SPDX-License-Identifier: Apache-2.0
"""Run the commands of the README and the tutorial against a new daemon.

Ids, times, ETags and the port differ between runs. They are compared by the
order in which they first appear.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.functional.harness.daemon import ROOT, Daemon, config_dir

README = (ROOT / 'README.rst').read_text()
TUTORIAL = (ROOT / 'doc/source/tutorial.rst').read_text()

#: Values that differ between runs: ids, times and ETags.
VARIABLE = re.compile(
    r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}'
    r'|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z'
    r'|(?<=")\d+-[0-9a-f]{10}-[0-9a-f]{8}(?=")')

#: Line that the shell prints after the output of a command.
END = '-- end of the output --'

pytestmark = pytest.mark.skipif(
    shutil.which('curl') is None, reason='curl is not installed')


def steps(text):
    """Yield each command with the output shown below it."""
    blocks = re.findall(r'(?m)^    \$ (?:.*\n)(?:    .*\n)*', text)
    for block in blocks:
        for step in re.split(r'(?m)^\$ ', textwrap.dedent(block))[1:]:
            lines = step.splitlines()
            last = next(number for number, line in enumerate(lines)
                        if not _is_incomplete(lines[:number + 1]))
            yield ('\n'.join(lines[:last + 1]),
                   '\n'.join(lines[last + 1:]).strip())


def _is_incomplete(lines):
    """Whether the command ends with a backslash or in an open quote."""
    return (lines[-1].endswith('\\')
            or '\n'.join(lines).count("'") % 2 == 1)


class Terminal:
    """A shell in a directory with the layout of a checkout, for one daemon.

    It keeps variables and functions between commands.
    """

    def __init__(self, directory, daemon):
        (directory / 'etc').mkdir(parents=True)
        (directory / 'etc/pileus').symlink_to(daemon.directory)
        (directory / '.venv').mkdir()
        (directory / '.venv/bin').symlink_to(Path(sys.executable).parent)
        self._port = daemon.port
        self._values = {}
        self._shell = subprocess.Popen(
            ['bash'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=directory)

    def close(self):
        self._shell.stdin.close()
        self._shell.wait(10)
        self._shell.stdout.close()

    def type(self, text):
        """Run the commands of ``text`` and return their number."""
        typed = list(steps(text))
        for command, shown in typed:
            printed = self._output(command.replace(':8088',
                                                   f':{self._port}'))
            self._learn(shown, printed)
            assert printed == self._expected(shown), command
        return len(typed)

    def _output(self, command):
        self._shell.stdin.write(f'{command}\nprintf "\\n%s\\n" "{END}"\n')
        self._shell.stdin.flush()
        lines = iter(self._shell.stdout.readline, f'{END}\n')
        return ''.join(lines).strip()

    def _learn(self, shown, printed):
        """Pair the values of the shown output with those of this run."""
        pairs = zip(VARIABLE.findall(shown), VARIABLE.findall(printed),
                    strict=False)
        for shown_value, printed_value in pairs:
            self._values.setdefault(shown_value, printed_value)

    def _expected(self, shown):
        shown = shown.replace(':8088', f':{self._port}')
        return VARIABLE.sub(
            lambda match: self._values.get(match[0], match[0]), shown)


@pytest.fixture
def daemon(tmp_path):
    with Daemon(config_dir(tmp_path)) as daemon:
        yield daemon


@pytest.fixture
def terminal(tmp_path, daemon):
    terminal = Terminal(tmp_path / 'checkout', daemon)
    yield terminal
    terminal.close()


def section(text, title):
    """Return the text of a section, up to the next title."""
    _, _, rest = text.partition(f'\n{title}\n{"=" * len(title)}\n')
    assert rest
    return re.split(r'\n[^\n]+\n={3,}\n', rest)[0]


def code(text):
    """Return the YAML block of a section."""
    return re.search(r'code-block:: yaml\n\n((?:    .*\n)+)', text)[1]


def declare(daemon, name, text):
    (daemon.directory / 'resources.d' / name).write_text(text)
    daemon.reload()


def test_the_readme_shows_what_its_commands_print(daemon, terminal):
    first = section(README, 'The first five minutes')
    assert terminal.type(first) == 15
    own = section(README, 'A type of your own')
    declare(daemon, 'booking.yaml', textwrap.dedent(code(own)))
    assert terminal.type(own) == 2


def test_the_tutorial_shows_what_its_commands_print(daemon, terminal):
    assert terminal.type(section(TUTORIAL, 'Send requests')) == 6
    own = section(TUTORIAL, 'Declare a type of your own')
    switch = textwrap.dedent(code(own))
    declare(daemon, 'switch.yaml', switch)
    assert terminal.type(own) == 2
    change = section(TUTORIAL, 'Change the type without breaking clients')
    copy, compare, look = re.split('In\n``etc|Restart the service', change)
    assert terminal.type(copy) == 1
    added = code(change).removeprefix('    ')
    declare(daemon, 'switch.yaml',
            re.sub(r'(?m)^  ports:.*\n', lambda line: line[0] + added,
                   switch))
    assert terminal.type(compare) == 1
    assert terminal.type(look) == 2
