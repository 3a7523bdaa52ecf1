# SPDX-License-Identifier: Apache-2.0
"""The README's session, typed again at a fresh daemon.

Ids, times, generation stamps and the port differ from one run to the next;
each is compared by the order in which it first appears.
"""

import re
import shutil
import subprocess
import textwrap

import pytest

from tests.functional.harness.daemon import ROOT, Daemon, config_dir

README = (ROOT / 'README.rst').read_text()

#: What differs between runs.
FLEETING = re.compile(
    r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}'
    r'|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z'
    r'|(?<=")\d+-[0-9a-f]{10}-[0-9a-f]{8}(?=")')

pytestmark = pytest.mark.skipif(
    shutil.which('curl') is None, reason='curl is not installed')


def steps(text):
    """Each typed command with the output shown below it."""
    blocks = re.findall(r'(?m)^    \$ (?:.*\n)(?:    .*\n)*', text)
    for block in blocks:
        for step in re.split(r'(?m)^\$ ', textwrap.dedent(block))[1:]:
            lines = step.splitlines()
            last = next(number for number, line in enumerate(lines)
                        if not _goes_on(lines[:number + 1]))
            yield ('\n'.join(lines[:last + 1]),
                   '\n'.join(lines[last + 1:]).strip())


def _goes_on(lines):
    """A command is not at its end behind a backslash or an open quote."""
    return (lines[-1].endswith('\\')
            or '\n'.join(lines).count("'") % 2 == 1)


class Names:
    """What this run calls the things that the README shows."""

    def __init__(self, port):
        self._port = port
        self._here = {}

    def typed(self, command):
        command = command.replace(':8088', f':{self._port}')
        return FLEETING.sub(lambda found: self._here[found[0]], command)

    def learn(self, shown, real):
        """Match what is shown with what this run printed in its place."""
        pairs = zip(FLEETING.findall(shown), FLEETING.findall(real),
                    strict=False)
        for there, here in pairs:
            self._here.setdefault(there, here)

    def expected(self, shown):
        shown = shown.replace(':8088', f':{self._port}')
        return FLEETING.sub(
            lambda found: self._here.get(found[0], found[0]), shown)


def run(daemon, text):
    names = Names(daemon.port)
    ran = list(steps(text))
    for command, shown in ran:
        real = subprocess.run(['bash', '-c', names.typed(command)],
                              capture_output=True, text=True,
                              timeout=30).stdout.strip()
        names.learn(shown, real)
        assert real == names.expected(shown), command
    return len(ran)


def test_the_session_is_as_shown(tmp_path):
    with Daemon(config_dir(tmp_path)) as daemon:
        session = README[README.index('The first five minutes'):
                         README.index('A type of your own')]
        assert run(daemon, session) == 10


def test_a_type_of_ones_own_is_there_after_a_reload(tmp_path):
    section = README[README.index('A type of your own'):]
    with Daemon(config_dir(tmp_path)) as daemon:
        declared = re.search(r'code-block:: yaml\n\n((?:    .*\n)+)', section)
        (daemon.directory / 'resources.d' / 'booking.yaml').write_text(
            textwrap.dedent(declared[1]))
        daemon.reload()
        assert run(daemon, section) == 2
