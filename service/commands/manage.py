# SPDX-License-Identifier: Apache-2.0
"""pileus-manage: what an operator does to a Pileus beside serving it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from service.commands import (
    backup,
    db,
    history,
    schema,
    tree,
    typefiles,
    users,
)
from service.domain.declare import DeclarationError
from service.errors import StartError

PROG = 'pileus-manage'

#: What could not be done at all; 1 is a command's own "no".
CANNOT_RUN = 2

#: Every command of this package, in the order of the help.
COMMANDS: tuple[tree.Command, ...] = (*typefiles.COMMANDS,
                                      *users.COMMANDS,
                                      *history.COMMANDS, *db.COMMANDS,
                                      *schema.COMMANDS, *backup.COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """``pileus-manage [--config-dir DIR] NOUN VERB ...``; the exit status.

    What went wrong is told on stderr, a line each; stdout is for the answer
    alone, so that it can be piped.
    """
    commands = (*COMMANDS, *tree.named())
    arguments = tree.parser(PROG, __doc__, commands).parse_args(argv)
    try:
        status: int = arguments.command.run(arguments)
        sys.stdout.flush()
        return status
    except (StartError, DeclarationError) as exc:
        for line in str(exc).splitlines():
            print(f'{PROG}: {line}', file=sys.stderr)
        return CANNOT_RUN
    except BrokenPipeError:
        # The interpreter flushes once more at its end, into nothing then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_RUN


if __name__ == '__main__':
    sys.exit(main())
