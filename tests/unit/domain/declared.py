# SPDX-License-Identifier: Apache-2.0
"""Type files for tests of their reading: the smallest that is right, and
what comes of one with something else in it."""

from __future__ import annotations

import json
from typing import Any

from service.domain.catalogue.types import Catalogue, Property, ResourceType
from service.domain.typefiles import type_files


def parsed(**files: str) -> Catalogue:
    return type_files.parse({f'{name}.yaml': text
                          for name, text in files.items()})


def mistakes(**files: str) -> list[str]:
    """What is wrong in the files, by name without the ending."""
    try:
        parsed(**files)
    except type_files.DeclarationError as exc:
        return list(exc.mistakes)
    return []


def text(declared: dict[str, Any]) -> str:
    """JSON is YAML, and has no aliases for what stands twice."""
    return json.dumps(declared, ensure_ascii=False)


def box(properties: dict[str, Any] | None = None, **more: Any) -> str:
    """The type ``box`` with these properties and other words."""
    return text({'name': 'box', 'plural': 'boxes',
                 'properties': properties or {}, **more})


def box_type(properties: dict[str, Any] | None = None,
             **more: Any) -> ResourceType:
    return parsed(box=box(properties, **more)).types['box']


def prop(**words: Any) -> Property:
    """The property ``it`` as the file's words make it."""
    return box_type({'it': words}).properties['it']


def wrong(**words: Any) -> list[str]:
    """What is wrong with a property ``it`` of these words."""
    start = 'box.yaml: properties.it'
    found = mistakes(box=box({'it': words}))
    assert all(one.startswith(start) for one in found), found
    return [one.removeprefix(start).removeprefix('.').removeprefix(': ')
            for one in found]


def wrong_type(properties: dict[str, Any] | None = None,
               **more: Any) -> list[str]:
    return [one.removeprefix('box.yaml: ')
            for one in mistakes(box=box(properties, **more))]
