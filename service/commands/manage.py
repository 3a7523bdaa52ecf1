# SPDX-License-Identifier: Apache-2.0
"""pileus-manage: what an operator does to a Pileus beside serving it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from service.commands import backup, db, history, schema, types, users
from service.commands.cli import parser
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError

PROG = 'pileus-manage'

#: What could not be done at all; 1 is a command's own "no".
CANNOT_RUN = 2

#: Every command of this package, in the order of the help.
COMMANDS: tuple[parser.Command, ...] = (*types.COMMANDS,
                                      *users.COMMANDS,
                                      *history.COMMANDS, *db.COMMANDS,
                                      *schema.COMMANDS, *backup.COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """``pileus-manage [--config-dir DIR] NOUN VERB ...``; the exit status.

    What went wrong is told on stderr, a line each; stdout is for the answer
    alone, so that it can be piped.
    """
    # oslo.db has a traceback for what is told in a line here.
    logging.getLogger('oslo_db').setLevel(logging.ERROR)
    commands = (*COMMANDS, *parser.installed())
    arguments = parser.build(PROG, __doc__, commands).parse_args(argv)
    with _interrupted_by(signal.SIGINT, signal.SIGTERM):
        return _run(arguments)


def _run(arguments: parser.Arguments) -> int:
    try:
        status: int = arguments.command.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as exc:
        print(f'{PROG}: interrupted', file=sys.stderr)
        return 128 + exc.args[0]
    except (StartError, DeclarationError) as exc:
        for line in str(exc).splitlines():
            print(f'{PROG}: {line}', file=sys.stderr)
        return CANNOT_RUN
    except BrokenPipeError:
        # The interpreter flushes once more at its end, into nothing then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_RUN


@contextlib.contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Who is told to end ends in order, whether by a key or by systemd; who
    is to take no notice, as by nohup, takes none."""
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt(number)
    before = {one: signal.getsignal(one) for one in numbers}
    heeded = [one for one, how in before.items()
              if how not in (signal.SIG_IGN, None)]
    for one in heeded:
        signal.signal(one, interrupt)
    try:
        yield
    finally:
        for one in heeded:
            signal.signal(one, before[one])


if __name__ == '__main__':
    sys.exit(main())
