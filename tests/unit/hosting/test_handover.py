# SPDX-License-Identifier: Apache-2.0
"""What a worker leaves to the one that takes its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from service.hosting.handover import Keepsake, Memory


def test_what_one_leaves_the_others_find():
    memory = Memory()
    one, other = (Keepsake(memory.path) for _ in range(2))
    assert one.find('rules') is None
    one.leave('rules', {'a': [1, None, 'é']})
    other.leave('users', 'a' * 100000)
    one.leave('users', 'b')
    assert (other.find('rules'), other.find('users')) == (
        {'a': [1, None, 'é']}, 'b')


def elsewhere(memory: Memory, script: str) -> int:
    """Run a script in a process that inherited the memory; its status."""
    descriptor = int(memory.path.rpartition('/')[2])
    os.set_inheritable(descriptor, True)
    return subprocess.run(
        [sys.executable, '-c', f'import os\n'
         f'from service.hosting.handover import Keepsake\n'
         f'kept = Keepsake({memory.path!r})\n{script}'],
        pass_fds=[descriptor]).returncode


def test_a_process_that_inherited_it_shares_it():
    memory = Memory()
    assert elsewhere(memory, "kept.leave('here', 1)") == 0
    assert Keepsake(memory.path).find('here') == 1


def test_who_is_killed_while_writing_leaves_nothing_and_holds_nobody_up():
    memory = Memory()
    kept = Keepsake(memory.path)
    kept.leave('rules', 'x' * 100)
    assert elsewhere(memory, """
with kept._held('r+b', 2) as file:
    file.write(b'{"use')
    file.flush()
    os.kill(os.getpid(), 9)
""") == -signal.SIGKILL
    assert kept.find('rules') is None
    kept.leave('rules', 'y')
    assert kept.find('rules') == 'y'


def test_without_a_launcher_nothing_is_kept():
    kept = Keepsake()
    kept.leave('rules', 1)
    assert kept.find('rules') is None
    assert Keepsake.of({}).find('rules') is None
