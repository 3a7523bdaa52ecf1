# SPDX-License-Identifier: Apache-2.0
"""A process that creates hosts until it is killed, and notes each success."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tests.functional.harness.in_process import Application

THREADS = 3


def write(directory: Path, notes: Path, name: str) -> None:
    """Create hosts with one tag each; append the name of each to ``notes``."""
    application = Application(directory)
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(THREADS):
        threading.Thread(target=_write, args=(
            application, file, f'{name}-{number}')).start()


def _write(application: Application, file: int, name: str) -> None:
    turn = 0
    while True:
        turn += 1
        host = f'{name}-{turn}'
        reply = application.request('POST', '/v1/hosts', {'host': {
            'name': host, 'serial': f'S-{host}'.upper(), 'tags': [host]}})
        if reply.status == 201:
            os.write(file, f'{host}\n'.encode())
