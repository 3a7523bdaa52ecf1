# SPDX-License-Identifier: Apache-2.0
"""The servers that benchmarks measure, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
BODY = b'Hello, World!\n'
HEADERS = [('Content-Type', 'text/plain'), ('Content-Length', str(len(BODY)))]


class Served(NamedTuple):
    """A server process and its address."""

    url: str
    port: int
    process: subprocess.Popen[str]

    @property
    def resident(self) -> int:
        """The resident memory of the process in bytes."""
        path = pathlib.Path(f'/proc/{self.process.pid}/statm')
        return int(path.read_text().split()[1]) * resource.getpagesize()

    @property
    def spent(self) -> float:
        """The seconds of CPU time that the process has used."""
        fields = pathlib.Path(
            f'/proc/{self.process.pid}/stat').read_text().rsplit(')', 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def app(environ: dict[str, Any], start: Any) -> list[bytes]:
    start('200 OK', HEADERS[:])
    return [BODY]


def pinned(core: int) -> Callable[[], None] | None:
    """Return a function that pins a child to a core; None on one core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {cores[core]})


@contextlib.contextmanager
def serving(name: str) -> Iterator[Served]:
    with subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-m', 'bench.serve', name],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
            preexec_fn=pinned(0)) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield Served(f'http://127.0.0.1:{port}/', port, process)
        finally:
            process.terminate()


def stock(sock: Any) -> None:
    from eventlet import wsgi
    wsgi.server(sock, app, log_output=False)


def limits() -> Any:
    """Return the default limits, with a higher number of connections."""
    from oslo_config import cfg

    from service.config import options
    from service.process.limits import ServerLimits
    conf = cfg.ConfigOpts()
    conf.register_opts(options.GROUPS['api'], 'api')
    conf([], project='bench', default_config_files=[], default_config_dirs=[])
    conf.set_override('max_connections', 20000, 'api')
    return ServerLimits.read(conf)


def ours(sock: Any) -> None:
    from service.process.server.http_server import Server
    server = Server(app, limits())
    server.listen(sock)
    server.wait()


def main(name: str) -> None:
    import eventlet
    eventlet.monkey_patch()
    _, max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    sock = eventlet.listen(('127.0.0.1', 0), backlog=4096)
    print(sock.getsockname()[1], flush=True)
    {'stock': stock, 'ours': ours}[name](sock)


if __name__ == '__main__':
    main(sys.argv[1])
