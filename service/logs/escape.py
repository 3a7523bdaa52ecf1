# SPDX-License-Identifier: Apache-2.0
"""Make text from outside safe for one line of a log.

Clients choose paths, headers and names. Without escapes, a line feed in such
text would forge a log record, and an ESC would control the terminal of an
operator who reads the log.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

#: Characters that end a line, move the cursor, hide text or cannot be encoded,
#: and the two that quote and escape text in log lines.
_UNSAFE = re.compile(
    '["\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e'
    '\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]')

_SHORT_ESCAPES = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r',
                  '\t': '\\t'}


def escape(text: str, longest: int = 2048) -> str:
    """Return ``text`` as printable text for a log line, cut at ``longest``.

    The escapes are those of Python and JSON strings, so that they can be
    reversed. Safe text is returned unchanged.
    """
    if len(text) > longest:
        text = f'{text[:longest]}...'
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT_ESCAPES.get(char) or f'\\u{ord(char):04x}'


#: SECURITY: the value of a parameter is not logged if its name may be that of
#: a secret. Harmless words with the same beginning or end are excluded.
_SECRET_NAME = re.compile(
    'token|secret|auth|bearer|credential|signature|sig(?![a-z])|jwt|pwd'
    '|sess(?:ion|_?id)|cookie|(?<!sort_)key'
    '|(?<!com)(?<!by)(?<!sur)pass(?!age|ed|eng|es|ing|ion|ive)',
    re.IGNORECASE)

#: Where the parameters of a request target begin.
_PARAMETERS_START = re.compile('[?#;]')

#: User and password before the host (``http://user:password@host/``), after
#: the method and the scheme if there are any.
_USERINFO = re.compile(r'((?:[^ /]+ ++)?(?:[^ /@:]*:?//)?)[^/]*@')


def mask_secrets(text: str) -> str:
    """Mask the secrets in a request target or a request line.

    The line may be malformed: the server logs the lines that it refuses. All
    text after the name of a secret is masked up to the next ``&``, since it
    may be part of the secret.
    """
    start = _PARAMETERS_START.search(text)
    end = start.end() if start else len(text)
    return (_mask_userinfo(text[:end])
            + '&'.join(map(_mask_parameter, text[end:].split('&'))))


def _mask_userinfo(path: str) -> str:
    match = _USERINFO.match(path)
    return f'{match[1]}***@{path[match.end():]}' if match else path


def _mask_parameter(parameter: str) -> str:
    """Mask the value of a parameter if one of its names is a secret's.

    The application decodes names, so ``%74oken`` counts too.
    """
    parts = parameter.split('=')
    for count, name in enumerate(parts[:-1], 1):
        if _SECRET_NAME.search(unquote_plus(name)):
            return '='.join([*parts[:count], '***'])
    return parameter
