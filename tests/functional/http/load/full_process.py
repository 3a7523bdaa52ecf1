# SPDX-License-Identifier: Apache-2.0
"""A program: a server that may open few files.

Prints its port, and then its counters for each byte on standard input.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import warnings

warnings.simplefilter('ignore')

import eventlet  # noqa: E402
import eventlet.hubs  # noqa: E402

from service.process.server.http_server import Server  # noqa: E402
from tests.functional.http.serving import (  # noqa: E402
    Recorder,
    default_limits,
    listening,
)


def main(max_files: int) -> None:
    logging.basicConfig(stream=sys.stderr)
    server = Server(Recorder(), default_limits())
    listener = listening()
    port = listener.getsockname()[1]
    server.listen(listener)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    print(port, flush=True)
    while True:
        eventlet.hubs.trampoline(0, read=True)
        if not os.read(0, 1):
            return
        print(json.dumps(server.counters.snapshot()), flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]))
