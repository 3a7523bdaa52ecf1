# SPDX-License-Identifier: Apache-2.0
"""A process that writes hosts until it is killed, and notes what it is told.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tests.functional.harness.in_process import Application

THREADS = 3


def write(directory: Path, notes: Path, name: str) -> None:
    """Make hosts with a tag each; a line in ``notes`` for every one made."""
    application = Application(directory)
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(THREADS):
        threading.Thread(target=_write, args=(
            application, file, f'{name}-{number}')).start()


def _write(application: Application, file: int, name: str) -> None:
    turn = 0
    while True:
        turn += 1
        made = f'{name}-{turn}'
        reply = application.request('POST', '/v1/hosts', {'host': {
            'name': made, 'serial': f'S-{made}'.upper(), 'tags': [made]}})
        if reply.status == 201:
            os.write(file, f'{made}\n'.encode())
