# SPDX-License-Identifier: Apache-2.0
"""Text from outside, made safe for one line of a log.

A client chooses the path, the headers and the names it sends. Written as they
are, a line feed in one of them starts a record of the client's own making and
an ESC drives the terminal of whoever reads the log.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

#: Everything that ends a line, moves a cursor, hides text or cannot be
#: encoded, and the two characters that log lines are quoted and escaped with.
_UNSAFE = re.compile(
    '["\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e'
    '\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]')

_SHORT_ESCAPES = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r',
                  '\t': '\\t'}


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
    return _SHORT_ESCAPES.get(char) or f'\\u{ord(char):04x}'


#: SECURITY: the value of a parameter whose name may be a secret's is not
#: logged. Words that only begin or end as one are left out by name.
_SECRET_NAME = re.compile(
    'token|secret|auth|bearer|credential|signature|sig(?![a-z])|jwt|pwd'
    '|sess(?:ion|_?id)|cookie|(?<!sort_)key'
    '|(?<!com)(?<!by)(?<!sur)pass(?!age|ed|eng|es|ing|ion|ive)',
    re.IGNORECASE)

#: Where the parameters of a target begin.
_PARAMETERS_START = re.compile('[?#;]')

#: Who asks, after the method and the scheme if there are any: it stands
#: before the host (``http://user:password@host/``).
_USERINFO = re.compile(r'((?:[^ /]+ ++)?(?:[^ /@:]*:?//)?)[^/]*@')


def mask_secrets(line: str) -> str:
    """A target, or the line of a request, without the secrets in it.

    The line may be of any form: a server refuses most of those that have an
    unusual one, and tells of each. What follows a secret may be of it.
    """
    begun = _PARAMETERS_START.search(line)
    at = begun.end() if begun else len(line)
    return (_mask_userinfo(line[:at])
            + '&'.join(map(_mask_parameter, line[at:].split('&'))))


def _mask_userinfo(path: str) -> str:
    found = _USERINFO.match(path)
    return f'{found[1]}***@{path[found.end():]}' if found else path


def _mask_parameter(parameter: str) -> str:
    """The application reads a name of any spelling: ``%74oken`` too."""
    pieces = parameter.split('=')
    for count, name in enumerate(pieces[:-1], 1):
        if _SECRET_NAME.search(unquote_plus(name)):
            return '='.join([*pieces[:count], '***'])
    return parameter
