# SPDX-License-Identifier: Apache-2.0
"""Type files -> Catalogue, or every mistake in all of them at once.

A file goes through four rooms: ``source`` makes plain values of its text,
``forms`` holds each word to its table, ``rules`` judges the words together
and ``relations`` the files. Whoever has a Catalogue need check nothing again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.domain.catalogue.types import Catalogue
from service.domain.documents import values
from service.domain.errors import printable
from service.domain.typefiles import (
    build,
    cross_file_checks,
    syntax,
    type_checks,
    yaml_text,
)
from service.domain.typefiles.build import Draft
from service.domain.typefiles.mistakes import Mistake

ENDING = '.yaml'


class DeclarationError(Exception):
    """The type files are wrong; ``mistakes`` are lines ``file: place: what``.
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__('\n'.join(self.mistakes))


def read(directory: str | os.PathLike[str]) -> Catalogue:
    """The catalogue that the ``*.yaml`` files of a directory declare.

    Names that begin with a dot are an editor's or Kubernetes' own. Raises
    DeclarationError with every mistake of every file.
    """
    found, unusable = _read(directory)
    return _catalogue(found, unusable)


def read_texts(directory: str | os.PathLike[str]) -> Mapping[str, str]:
    """What those files say, by name, not looked into; DeclarationError names
    each that gives no text."""
    found, unusable = _read(directory)
    if unusable:
        raise DeclarationError(f'{printable(file)}: {what}'
                               for file, what in unusable.items())
    return found


def parse(sources: Mapping[str, str]) -> Catalogue:
    """The same from texts by file name, for who has no directory."""
    return _catalogue(sources, {})


class _Unusable(Exception):
    """Why a file gives no text."""


def _read(directory: str | os.PathLike[str]
          ) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of the files, and what is wrong with those that have none.
    """
    found: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for name in _names(directory):
        try:
            found[name] = _text(os.path.join(directory, name))
        except _Unusable as exc:
            unusable[name] = str(exc)
    return found, unusable


def _names(directory: str | os.PathLike[str]) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError as exc:
        raise DeclarationError([f'{printable(os.fspath(directory))}: cannot '
                                f'be read: {exc.strerror}']) from exc
    return [name for name in names if not name.startswith('.')
            and name.endswith((ENDING, '.yml'))]


def _text(name: str) -> str:
    """The text of one file, read no further than a file may go."""
    if name.endswith('.yml'):
        raise _Unusable(f'the ending must be {ENDING}')
    if not os.path.isfile(name):
        raise _Unusable('is not a file')
    try:
        with open(name, 'rb') as file:
            return yaml_text.decode(file.read(yaml_text.MAX_BYTES + 1))
    except OSError as exc:
        raise _Unusable(f'cannot be read: {exc.strerror}') from exc
    except yaml_text.Unreadable as exc:
        raise _Unusable(str(exc)) from exc


def _catalogue(texts: Mapping[str, str],
               unusable: Mapping[str, str]) -> Catalogue:
    """Judge each file, then the files together; all or none come out."""
    found = [(file, Mistake((), what)) for file, what in unusable.items()]
    made = []
    for file in sorted(texts):
        draft, mistakes = _draft(file, texts[file])
        found += ((file, one) for one in mistakes)
        made += [draft] if draft else []
    named = [one for one in made if 'name' in one.raw]
    doubtful = {_stem(file) for file in (*texts, *unusable)
                if all(file != one.file for one in named)}
    found += cross_file_checks.mistakes(named, doubtful)
    if found:
        raise DeclarationError(
            f'{printable(file)}: {one}' for file, one in found)
    return Catalogue(MappingProxyType(
        {one.declared.name: one.declared for one in named}),
        MappingProxyType(dict(texts)), _digest(named))


def _digest(named: Iterable[Draft]) -> str:
    """One for all files that say the same, in whatever words."""
    said = values.canonical({one.declared.name: one.raw for one in named})
    return hashlib.sha256(said.encode()).hexdigest()


def _draft(file: str, text: str) -> tuple[Draft | None, list[Mistake]]:
    """One file's draft, as far as there is one, and what is wrong in it."""
    try:
        raw = yaml_text.load(text)
    except yaml_text.Unreadable as exc:
        return None, [Mistake((), one) for one in exc.mistakes]
    mistakes: list[Mistake] = []
    kept = syntax.read(raw, mistakes.append)
    if not kept:
        return None, mistakes
    draft = build.make(file, kept, _stem(file),
                        isinstance(raw.get('properties', {}), dict))
    return draft, [*mistakes, *type_checks.mistakes(draft)]


def _stem(file: str) -> str:
    """The type a file is likely about, where it does not say."""
    return file.removesuffix('.yml').removesuffix(ENDING)
