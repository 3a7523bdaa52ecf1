# SPDX-License-Identifier: Apache-2.0
"""pileus-manage: administer a Pileus service and its database."""

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

#: Exit status of a command that failed; 1 is a command's negative result.
CANNOT_RUN = 2

#: All commands of this package, in the order of the help.
COMMANDS: tuple[parser.Command, ...] = (*types.COMMANDS,
                                        *users.COMMANDS,
                                        *history.COMMANDS, *db.COMMANDS,
                                        *schema.COMMANDS, *backup.COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``pileus-manage [--config-dir DIR] NOUN VERB ...``.

    Returns the exit status. Errors go to stderr, a line each; stdout has only
    the result, so that it can be piped.
    """
    # oslo.db logs tracebacks of errors that are printed as one line here.
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
        # The interpreter flushes stdout again when it exits. /dev/null
        # prevents a second BrokenPipeError.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_RUN


@contextlib.contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Turn signals into KeyboardInterrupt, so that a command cleans up.

    A signal that is ignored stays ignored, as under nohup.
    """
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt(number)
    previous = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number, handler in previous.items()
               if handler not in (signal.SIG_IGN, None)]
    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, previous[number])


if __name__ == '__main__':
    sys.exit(main())
