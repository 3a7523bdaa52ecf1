# SPDX-License-Identifier: Apache-2.0
"""What a worker leaves to the one that takes its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from service.hosting.handover import Handover, SharedMemory


def test_what_one_leaves_the_others_find():
    memory = SharedMemory()
    first, second = (Handover(memory.path) for _ in range(2))
    assert first.get('rules') is None
    first.put('rules', {'a': [1, None, 'é']})
    second.put('users', 'a' * 100000)
    first.put('users', 'b')
    assert (second.get('rules'), second.get('users')) == (
        {'a': [1, None, 'é']}, 'b')


def elsewhere(memory: SharedMemory, script: str) -> int:
    """Run a script in a process that inherited the memory; its status."""
    descriptor = int(memory.path.rpartition('/')[2])
    os.set_inheritable(descriptor, True)
    return subprocess.run(
        [sys.executable, '-c', f'import os\n'
         f'from service.hosting.handover import Handover\n'
         f'handover = Handover({memory.path!r})\n{script}'],
        pass_fds=[descriptor]).returncode


def test_a_process_that_inherited_it_shares_it():
    memory = SharedMemory()
    assert elsewhere(memory, "handover.put('here', 1)") == 0
    assert Handover(memory.path).get('here') == 1


def test_who_is_killed_while_writing_leaves_nothing_and_holds_nobody_up():
    memory = SharedMemory()
    handover = Handover(memory.path)
    handover.put('rules', 'x' * 100)
    assert elsewhere(memory, """
with handover._locked('r+b', 2) as file:
    file.write(b'{"use')
    file.flush()
    os.kill(os.getpid(), 9)
""") == -signal.SIGKILL
    assert handover.get('rules') is None
    handover.put('rules', 'y')
    assert handover.get('rules') == 'y'


def test_without_a_launcher_nothing_is_kept():
    handover = Handover()
    handover.put('rules', 1)
    assert handover.get('rules') is None
    assert Handover.of({}).get('rules') is None
