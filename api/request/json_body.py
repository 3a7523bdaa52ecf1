# SPDX-License-Identifier: Apache-2.0
"""A request's body, from bytes to a JSON value that can be stored.

Stricter than ``json``, which takes NaN, lets the last of two equal names win
and fails in five different ways. What comes out of here is JSON, nested at
most 32 deep, with integers of 64 bits and text that every database holds.
What it may say is the business of ``api.request.schemas``.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from api.request.errors import (
    BodyTooLarge,
    BodyUnread,
    MalformedBody,
    UnsupportedMediaType,
)
from service.domain.documents import pointers, values
from service.domain.errors import MAX_POINTER_CHARS, MAX_VIOLATIONS, Violation

#: What a body that is a document may be sent as.
JSON = ('application/json',)
JSON_PATCH = 'application/json-patch+json'
#: PATCH also takes RFC 7396 and RFC 6902 by their names.
MERGE = (*JSON, 'application/merge-patch+json')
PATCH = (*MERGE, JSON_PATCH)

#: No integer of more characters fits in 64 bits; one that does not fit
#: stands for all of them, so that nobody waits for a million digits.
_INT64_CHARACTERS = 20
_TOO_LARGE = 2 ** 64

_BLANK = ' \t\r\n'


def parse(raw: bytes) -> Any:
    """The JSON value of a body; MalformedBody names every mistake."""
    text = _text(raw)
    if not text.strip(_BLANK):
        raise _malformed('The body is empty; send a JSON document.')
    try:
        document = _decode(text, _DECODER)
    except _DuplicateName:
        raise _malformed_values(_duplicate_names(text)) from None
    found = list(islice(values.storage_flaws(document), MAX_VIOLATIONS))
    if found:
        raise _malformed_values(found)
    return document


def _text(raw: bytes) -> str:
    if raw.startswith(codecs.BOM_UTF8):
        raise _malformed('The body begins with a byte order mark; send '
                         'UTF-8 without one.')
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise _malformed('The body is not UTF-8: byte '
                         f'{exc.start + 1} of {len(raw)}.') from None


def _decode(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as exc:
        raise _malformed(
            f'The body is not JSON: {exc.msg}: line {exc.lineno} column '
            f'{exc.colno}.') from None
    except RecursionError:
        raise _malformed('The body is nested more than '
                         f'{values.MAX_DEPTH} deep.') from None


class _DuplicateName(Exception):
    """An object has two members of one name."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateName
    return members


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _INT64_CHARACTERS else _TOO_LARGE


#: PERF: making a decoder takes longer than reading a usual body with it.
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer)


def _duplicate_names(text: str) -> Iterator[tuple[str, str]]:
    """Where names stand twice in a text that was given up for it.

    An object knows nothing of its place while it is read, so it is found
    again by identity. One that a later of its name replaced is not found,
    but then the object around it is.
    """
    twice: dict[int, list[tuple[str, Any]]] = {}
    kept = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            kept.append(found)
            twice[id(found)] = pairs
        return found

    decoder = json.JSONDecoder(object_pairs_hook=members, parse_int=_integer)
    for place in pointers.containers(_decode(text, decoder)):
        counts = Counter(name for name, _ in twice.get(id(place.value), ()))
        for name in counts:
            if counts[name] > 1:
                yield pointers.child(place.pointer, name), 'is named twice'


def _malformed_values(found: Iterable[tuple[str, str]]) -> MalformedBody:
    return MalformedBody(_value_violation(*one) for one in found)


def _value_violation(pointer: str, reason: str) -> Violation:
    if len(pointer) > MAX_POINTER_CHARS:
        return Violation(f'A value in the body {reason}.')
    return Violation(f'{pointer or "The body"} {reason}.', pointer)


def _malformed(detail: str) -> MalformedBody:
    return MalformedBody([Violation(detail, '')])


# Media types

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: SECURITY: possessive, since blanks could else be read in two ways each and
#: a header of blanks and semicolons would take for ever.
_PARAMETER = re.compile(
    rf'[ \t]*+;[ \t]*+(?:({_TOKEN})=(?:({_TOKEN})|"([^"\\\x00-\x1f]*)"))?')
_MEDIA_TYPE = re.compile(
    rf'[ \t]*({_TOKEN}/{_TOKEN})((?:{_PARAMETER.pattern})*)[ \t]*')


def media_type(content_type: str | None,
               accepted: Collection[str] = JSON) -> str:
    """Which of the ``accepted`` types the body is said to be.

    The only charset is UTF-8; other parameters mean nothing to JSON and are
    passed over.
    """
    wanted = ' or '.join(accepted)
    if not content_type:
        raise UnsupportedMediaType(
            reason=f'The body needs a Content-Type; send {wanted}.')
    match = _MEDIA_TYPE.fullmatch(content_type)
    named = match[1].lower() if match else ''
    if not match or named not in accepted:
        raise UnsupportedMediaType(
            reason=f'Content-Type: {values.quoted(content_type)} is not '
                   f'read here; send {wanted}.')
    for name, token, text in _PARAMETER.findall(match[2]):
        charset = token or text
        if name.lower() == 'charset' and charset.lower() != 'utf-8':
            raise UnsupportedMediaType(
                reason=f'The charset {values.quoted(charset)} is not '
                       'read here; send UTF-8.')
    return named


def check_encoding(content_encoding: str | None) -> None:
    """Refuse a compressed body: a kilobyte may become a gigabyte."""
    if (content_encoding or 'identity').strip(_BLANK).lower() != 'identity':
        raise UnsupportedMediaType(
            reason='Content-Encoding: '
                   f'{values.quoted(content_encoding)} is not read here; '
                   'send the body as it is.')


# The request's body

def read(environ: dict[str, Any], accepted: Collection[str],
         limit: int) -> tuple[Any, str]:
    """The JSON value of a request's body and its media type.

    Without ``accepted`` types the request must have no body (METH-6): what
    the client meant by one would be lost. The server limits a body too; this
    is the limit under any other server.
    """
    raw = _raw(environ, limit)
    if not accepted:
        if raw:
            raise _malformed(
                f'{environ["REQUEST_METHOD"]} takes no body here.')
        return None, ''
    check_encoding(environ.get('HTTP_CONTENT_ENCODING'))
    named = media_type(environ.get('CONTENT_TYPE'), accepted)
    return parse(raw), named


def _raw(environ: dict[str, Any], limit: int) -> bytes:
    """At most ``limit`` bytes of body.

    Raises BodyTooLarge, and BodyUnread where the server could not read on:
    ours has its own answer to that, which the client gets instead.
    """
    length = environ.get('CONTENT_LENGTH')
    if length == '0' or not (length or environ.get('wsgi.input_terminated')):
        return b''
    if length and not (length.isascii() and length.isdigit()):
        raise _malformed(f'Content-Length: {values.quoted(length)} is not a '
                         f'number.')
    size = int(length) if length else limit + 1
    if length and size > limit:
        raise BodyTooLarge(limit=limit)
    try:
        raw: bytes = environ['wsgi.input'].read(size)
    except OSError:
        raise BodyUnread from None
    if len(raw) > limit:
        raise BodyTooLarge(limit=limit)
    # Where the types changed meanwhile the request is answered once more.
    environ['wsgi.input'] = io.BytesIO(raw)
    return raw
