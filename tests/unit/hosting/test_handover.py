# SPDX-License-Identifier: Apache-2.0
"""The state that a worker hands to its replacement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from service.hosting.handover import Handover, SharedMemory


def test_a_stored_value_is_found_by_other_workers():
    memory = SharedMemory()
    first, second = (Handover(memory.path) for _ in range(2))
    assert first.get('rules') is None
    first.put('rules', {'a': [1, None, 'é']})
    second.put('users', 'a' * 100000)
    first.put('users', 'b')
    assert (second.get('rules'), second.get('users')) == (
        {'a': [1, None, 'é']}, 'b')


def run_in_child(memory: SharedMemory, script: str) -> int:
    """Run a script in a process that inherited the memory; return its status.
    """
    descriptor = int(memory.path.rpartition('/')[2])
    os.set_inheritable(descriptor, True)
    return subprocess.run(
        [sys.executable, '-c', f'import os\n'
         f'from service.hosting.handover import Handover\n'
         f'handover = Handover({memory.path!r})\n{script}'],
        pass_fds=[descriptor]).returncode


def test_a_child_process_shares_the_memory():
    memory = SharedMemory()
    assert run_in_child(memory, "handover.put('here', 1)") == 0
    assert Handover(memory.path).get('here') == 1


def test_a_writer_killed_midway_leaves_no_values_and_no_lock():
    memory = SharedMemory()
    handover = Handover(memory.path)
    handover.put('rules', 'x' * 100)
    assert run_in_child(memory, """
with handover._locked('r+b', 2) as file:
    file.write(b'{"use')
    file.flush()
    os.kill(os.getpid(), 9)
""") == -signal.SIGKILL
    assert handover.get('rules') is None
    handover.put('rules', 'y')
    assert handover.get('rules') == 'y'


def test_without_shared_memory_nothing_is_stored():
    handover = Handover()
    handover.put('rules', 1)
    assert handover.get('rules') is None
    assert Handover.of({}).get('rules') is None
