# SPDX-License-Identifier: Apache-2.0
"""Minimal valid type files for tests, and the mistakes of variations."""

from __future__ import annotations

import json
from typing import Any

from service.domain.catalogue.types import Catalogue, Property, ResourceType
from service.domain.typefiles import type_files


def parsed(**files: str) -> Catalogue:
    return type_files.parse({f'{name}.yaml': text
                             for name, text in files.items()})


def mistakes(**files: str) -> list[str]:
    """The mistakes of files, given by name without the ending."""
    try:
        parsed(**files)
    except type_files.DeclarationError as exc:
        return list(exc.mistakes)
    return []


def text(declared: dict[str, Any]) -> str:
    """Dump a type file as JSON, which is YAML without aliases."""
    return json.dumps(declared, ensure_ascii=False)


def box(properties: dict[str, Any] | None = None, **more: Any) -> str:
    """The file of the type ``box`` with these properties and keywords."""
    return text({'name': 'box', 'plural': 'boxes',
                 'properties': properties or {}, **more})


def box_type(properties: dict[str, Any] | None = None,
             **more: Any) -> ResourceType:
    return parsed(box=box(properties, **more)).types['box']


def prop(**keywords: Any) -> Property:
    """The property ``it`` with these keywords, as built from the file."""
    return box_type({'it': keywords}).properties['it']


def wrong(**keywords: Any) -> list[str]:
    """The mistakes of a property ``it`` with these keywords."""
    start = 'box.yaml: properties.it'
    lines = mistakes(box=box({'it': keywords}))
    assert all(line.startswith(start) for line in lines), lines
    return [line.removeprefix(start).removeprefix('.').removeprefix(': ')
            for line in lines]


def wrong_type(properties: dict[str, Any] | None = None,
               **more: Any) -> list[str]:
    """The mistakes of the type ``box`` with these properties and keywords.
    """
    return [line.removeprefix('box.yaml: ')
            for line in mistakes(box=box(properties, **more))]
