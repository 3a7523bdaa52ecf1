# SPDX-License-Identifier: Apache-2.0
"""Text from outside, made safe for one line of a log.

A client chooses the path, the headers and the names it sends. Written as they
are, a line feed in one of them starts a record of the client's own making and
an ESC drives the terminal of whoever reads the log.
"""

from __future__ import annotations

import re

#: Everything that ends a line, moves a cursor, hides text or cannot be
#: encoded, and the two characters that log lines are quoted and escaped with.
_UNSAFE = re.compile(
    '["\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e'
    '\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]')

_NAMED = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t'}


def escape(text: str, longest: int = 2048) -> str:
    """``text`` as one printable piece of a log line, cut at ``longest``.

    The escapes are those of a Python or JSON string, so a reader can undo
    them; a text without anything unsafe is returned as it is.
    """
    if len(text) > longest:
        text = f'{text[:longest]}...'
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    return _NAMED.get(char) or f'\\u{ord(char):04x}'
