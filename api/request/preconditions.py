# SPDX-License-Identifier: Apache-2.0
"""Parse If-Match and If-None-Match (RFC 9110, section 13.1)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from api.request import errors
from service.domain.errors import Invalid, Violation
from service.domain.records.preconditions import Precondition

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
#: SECURITY: possessive quantifiers match a long header in linear time.
_LIST = re.compile(rf'[ \t]*+(?:{_TAG})?+(?:[ \t]*+,(?:[ \t]*+{_TAG})?+)*+'
                   rf'[ \t]*+\Z')
_EACH = re.compile(_TAG)


def for_write(environ: dict[str, Any], *,
              required: bool = False) -> Precondition:
    """Return the precondition of a write.

    Raises Invalid for a malformed header, and PreconditionRequired if neither
    header is sent and one is ``required``.
    """
    match = if_match(environ)
    none_match = environ.get('HTTP_IF_NONE_MATCH')
    if none_match is not None and none_match.strip() != '*':
        raise Invalid([Violation(
            'If-None-Match: a write takes only *, which means: the record '
            'must not exist', parameter='If-None-Match')])
    if match is None and none_match is None and required:
        raise errors.PreconditionRequired(method=environ['REQUEST_METHOD'])
    return replace(match or Precondition(), absent=none_match is not None)


def if_match(environ: dict[str, Any]) -> Precondition | None:
    """Return the precondition of If-Match; None if the header is absent.

    An ETag matches the record's state, not the view in which the client read
    the record (D16). Weak tags never match (13.1.1). A read evaluates
    If-Match before If-None-Match (13.2.2).
    """
    header = environ.get('HTTP_IF_MATCH')
    if header is None:
        return None
    if header.strip() == '*':
        return Precondition(exists=True)
    return Precondition(tokens=frozenset(
        _state_token(tag) for tag in _tags('If-Match', header)
        if not tag.startswith('W/')))


def unchanged(environ: dict[str, Any], etag: str) -> bool:
    """Whether a read's If-None-Match has ``etag``, so that the reply is 304.
    """
    header = environ.get('HTTP_IF_NONE_MATCH')
    if header is None:
        return False
    if header.strip() == '*':
        return True
    return any(tag.removeprefix('W/') == etag
               for tag in _tags('If-None-Match', header))


def _tags(name: str, header: str) -> list[str]:
    tags = _EACH.findall(header) if _LIST.match(header) else []
    if not tags:
        raise Invalid([Violation(
            f'{name}: {ascii(header[:80])} is not a list of entity tags; an '
            f'entity tag has double quotes, such as '
            f'"3-5f2a9c1b07-77ab01ce"', parameter=name)])
    return tags


def _state_token(tag: str) -> str:
    """Return the part of an ETag that stands for the state, not the view."""
    return tag[1:-1].rpartition('-')[0]
