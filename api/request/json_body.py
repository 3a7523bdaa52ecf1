# SPDX-License-Identifier: Apache-2.0
"""Parse a request's body into a JSON value that every database can store.

The parser is stricter than ``json``, which accepts NaN and keeps the last of
two members of the same name. The result is nested at most 32 levels deep, with
integers of 64 bits and text without NUL or surrogates.
``api.request.schemas`` validates the result against the type.
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

#: Media types of a plain document.
JSON = ('application/json',)
JSON_PATCH = 'application/json-patch+json'
#: Media types of patches: RFC 7396 (merge patch) and RFC 6902 (JSON Patch).
MERGE = (*JSON, 'application/merge-patch+json')
PATCH = (*MERGE, JSON_PATCH)

#: No integer of more characters fits in 64 bits.
_INT64_CHARACTERS = 20
#: SECURITY: stands for every longer integer, which is never converted:
#: conversion takes time that grows with the square of the number of digits.
_TOO_LARGE = 2 ** 64

_BLANK = ' \t\r\n'


def parse(raw: bytes) -> Any:
    """Return the JSON value of a body; raise MalformedBody for all mistakes.
    """
    text = _text(raw)
    if not text.strip(_BLANK):
        raise _malformed('The body is empty; send a JSON document.')
    try:
        document = _decode(text, _DECODER)
    except _DuplicateName:
        raise _malformed_values(_duplicate_names(text)) from None
    mistakes = list(islice(values.storage_flaws(document), MAX_VIOLATIONS))
    if mistakes:
        raise _malformed_values(mistakes)
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
    """An object has two members of the same name."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateName
    return members


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _INT64_CHARACTERS else _TOO_LARGE


#: PERF: creating a decoder takes longer than decoding a typical body.
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer)


def _duplicate_names(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pointers of duplicate names, in a text that has some.

    The decoder does not give the pointer of an object while it decodes the
    object, so a second pass finds objects with duplicates by identity. An
    object that a later member of the same name replaced is not found, but
    the object around it is.
    """
    duplicates: dict[int, list[tuple[str, Any]]] = {}
    references = []    # Keeps each id in ``duplicates`` valid.

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            references.append(members)
            duplicates[id(members)] = pairs
        return members

    decoder = json.JSONDecoder(object_pairs_hook=collect, parse_int=_integer)
    for place in pointers.containers(_decode(text, decoder)):
        counts = Counter(name for name, _
                         in duplicates.get(id(place.value), ()))
        for name in counts:
            if counts[name] > 1:
                yield pointers.child(place.pointer, name), 'is named twice'


def _malformed_values(mistakes: Iterable[tuple[str, str]]) -> MalformedBody:
    """Return the error for mistakes, each a pointer and a reason."""
    return MalformedBody(_value_violation(pointer, reason)
                         for pointer, reason in mistakes)


def _value_violation(pointer: str, reason: str) -> Violation:
    if len(pointer) > MAX_POINTER_CHARS:
        return Violation(f'A value in the body {reason}.')
    return Violation(f'{pointer or "The body"} {reason}.', pointer)


def _malformed(detail: str) -> MalformedBody:
    return MalformedBody([Violation(detail, '')])


# Media types

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: SECURITY: possessive quantifiers, because each blank could match in two
#: places: a header of blanks and semicolons would take exponential time.
_PARAMETER = re.compile(
    rf'[ \t]*+;[ \t]*+(?:({_TOKEN})=(?:({_TOKEN})|"([^"\\\x00-\x1f]*)"))?')
_MEDIA_TYPE = re.compile(
    rf'[ \t]*({_TOKEN}/{_TOKEN})((?:{_PARAMETER.pattern})*)[ \t]*')


def media_type(content_type: str | None,
               accepted: Collection[str] = JSON) -> str:
    """Return the media type of a Content-Type header, in lower case.

    Raises UnsupportedMediaType unless the type is ``accepted`` and the
    charset, if any, is UTF-8. Other parameters have no meaning for JSON and
    are ignored.
    """
    valid = ' or '.join(accepted)
    if not content_type:
        raise UnsupportedMediaType(
            reason=f'The body needs a Content-Type; send {valid}.')
    match = _MEDIA_TYPE.fullmatch(content_type)
    named = match[1].lower() if match else ''
    if not match or named not in accepted:
        raise UnsupportedMediaType(
            reason=f'Content-Type: {values.quoted(content_type)} is not '
                   f'supported here; send {valid}.')
    for name, token, text in _PARAMETER.findall(match[2]):
        charset = token or text
        if name.lower() == 'charset' and charset.lower() != 'utf-8':
            raise UnsupportedMediaType(
                reason=f'The charset {values.quoted(charset)} is not '
                       'supported; send UTF-8.')
    return named


def check_encoding(content_encoding: str | None) -> None:
    """Raise UnsupportedMediaType for a compressed body.

    SECURITY: a compressed kilobyte may decompress to a gigabyte.
    """
    if (content_encoding or 'identity').strip(_BLANK).lower() != 'identity':
        raise UnsupportedMediaType(
            reason='Content-Encoding: '
                   f'{values.quoted(content_encoding)} is not supported; '
                   'send the body uncompressed.')


# The request's body

def read(environ: dict[str, Any], accepted: Collection[str],
         limit: int) -> tuple[Any, str]:
    """Return the JSON value of a request's body, and its media type.

    ``limit`` is in bytes. Pileus' own server limits bodies too, but another
    WSGI server may not. Without ``accepted`` types a body is an error
    (METH-6), because the action would ignore what the client meant by it.
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
    """Return the bytes of the body.

    Raises BodyTooLarge above ``limit`` bytes, and BodyUnread if the server
    cannot read the body to its end. Pileus' own server replaces the response
    to BodyUnread by one of its own.
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
    # A newer catalogue may have to answer the request again from the start.
    environ['wsgi.input'] = io.BytesIO(raw)
    return raw
