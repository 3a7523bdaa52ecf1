# SPDX-License-Identifier: Apache-2.0
"""If-Match and If-None-Match, from header to value (RFC 9110 13.1)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from api.request import errors
from service.domain.errors import Invalid, Violation
from service.domain.records.preconditions import Precondition

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
#: SECURITY: possessive, so that a long header is read in linear time.
_LIST = re.compile(rf'[ \t]*+(?:{_TAG})?+(?:[ \t]*+,(?:[ \t]*+{_TAG})?+)*+'
                   rf'[ \t]*+\Z')
_EACH = re.compile(_TAG)


def for_write(environ: dict[str, Any], *,
              required: bool = False) -> Precondition:
    """What a write says it saw. Weak tags never match (13.1.1).

    Raises Invalid for a header that is no list of entity tags, and
    PreconditionRequired where one is needed and none is sent.
    """
    match = if_match(environ)
    none = environ.get('HTTP_IF_NONE_MATCH')
    if none is not None and none.strip() != '*':
        raise Invalid([Violation(
            'If-None-Match: a write takes only *, which means: the record '
            'must not exist', parameter='If-None-Match')])
    if match is None and none is None and required:
        raise errors.PreconditionRequired(method=environ['REQUEST_METHOD'])
    return replace(match or Precondition(), absent=none is not None)


def if_match(environ: dict[str, Any]) -> Precondition | None:
    """What If-Match says was seen; None where it is not sent.

    All of what a read may ask for before If-None-Match (13.2.2). As for a
    write, an ETag stands for the state, in whatever view it was read (D16).
    """
    header = environ.get('HTTP_IF_MATCH')
    if header is None:
        return None
    if header.strip() == '*':
        return Precondition(exists=True)
    return Precondition(tokens=frozenset(
        _stamp(tag) for tag in _tags('If-Match', header)
        if not tag.startswith('W/')))


def unchanged(environ: dict[str, Any], etag: str) -> bool:
    """Whether a read's If-None-Match names ``etag``: then 304 will do."""
    header = environ.get('HTTP_IF_NONE_MATCH')
    if header is None:
        return False
    if header.strip() == '*':
        return True
    return any(tag.removeprefix('W/') == etag
               for tag in _tags('If-None-Match', header))


def _tags(name: str, header: str) -> list[str]:
    found = _EACH.findall(header) if _LIST.match(header) else []
    if not found:
        raise Invalid([Violation(
            f'{name}: {ascii(header[:80])} is not a list of entity tags such '
            f'as "3-5f2a9c1b07-77ab01ce", in their double quotes',
            parameter=name)])
    return found


def _stamp(tag: str) -> str:
    """The part of an ETag that names the stored state, not the view."""
    return tag[1:-1].rpartition('-')[0]
