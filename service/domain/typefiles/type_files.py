# SPDX-License-Identifier: Apache-2.0
"""Read type files: return a Catalogue, or raise all mistakes of all files.

Each file goes through four modules: ``yaml_text`` parses its text, ``syntax``
checks each keyword, ``type_checks`` checks the keywords together, and
``cross_file_checks`` compares the files. A Catalogue has passed every check.
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
    """The type files have mistakes, each a line ``file: place: message``."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__('\n'.join(self.mistakes))


def read(directory: str | os.PathLike[str]) -> Catalogue:
    """Read the catalogue that the ``*.yaml`` files of a directory declare.

    Hidden files are ignored; editors and Kubernetes create them. Raises
    DeclarationError with every mistake of every file.
    """
    texts, unreadable = _read(directory)
    return _catalogue(texts, unreadable)


def read_texts(directory: str | os.PathLike[str]) -> Mapping[str, str]:
    """Read the texts of the type files by file name, without parsing them.

    Raises DeclarationError with every file that cannot be read as text.
    """
    texts, unreadable = _read(directory)
    if unreadable:
        raise DeclarationError(f'{printable(file)}: {message}'
                               for file, message in unreadable.items())
    return texts


def parse(texts: Mapping[str, str]) -> Catalogue:
    """Return the catalogue that texts declare, given by file name.

    Raises DeclarationError with every mistake of every text.
    """
    return _catalogue(texts, {})


class _Unreadable(Exception):
    """The reason why a file cannot be read as text."""


def _read(directory: str | os.PathLike[str]
          ) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of readable files, and the mistakes of the others."""
    texts: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for name in _names(directory):
        try:
            texts[name] = _text(os.path.join(directory, name))
        except _Unreadable as exc:
            unreadable[name] = str(exc)
    return texts, unreadable


def _names(directory: str | os.PathLike[str]) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError as exc:
        raise DeclarationError([f'{printable(os.fspath(directory))}: cannot '
                                f'be read: {exc.strerror}']) from exc
    return [name for name in names if not name.startswith('.')
            and name.endswith((ENDING, '.yml'))]


def _text(name: str) -> str:
    """Read the text of one file, at most one byte more than MAX_BYTES."""
    if name.endswith('.yml'):
        raise _Unreadable(f'the file name must end in {ENDING}')
    if not os.path.isfile(name):
        raise _Unreadable('is not a file')
    try:
        with open(name, 'rb') as file:
            return yaml_text.decode(file.read(yaml_text.MAX_BYTES + 1))
    except OSError as exc:
        raise _Unreadable(f'cannot be read: {exc.strerror}') from exc
    except yaml_text.InvalidText as exc:
        raise _Unreadable(str(exc)) from exc


def _catalogue(texts: Mapping[str, str],
               unreadable: Mapping[str, str]) -> Catalogue:
    """Check each file, then the files together."""
    reported = [(file, Mistake((), message))
             for file, message in unreadable.items()]
    drafts = []
    for file in sorted(texts):
        draft, mistakes = _draft(file, texts[file])
        reported += ((file, mistake) for mistake in mistakes)
        drafts += [draft] if draft else []
    named = [draft for draft in drafts if 'name' in draft.raw]
    unnamed = {_stem(file) for file in (*texts, *unreadable)
               if all(file != draft.file for draft in named)}
    reported += cross_file_checks.mistakes(named, unnamed)
    if reported:
        raise DeclarationError(
            f'{printable(file)}: {mistake}' for file, mistake in reported)
    return Catalogue(MappingProxyType(
        {draft.declared.name: draft.declared for draft in named}),
        MappingProxyType(dict(texts)), _digest(named))


def _digest(drafts: Iterable[Draft]) -> str:
    """Return a digest that is equal for files that declare the same."""
    content = values.canonical(
        {draft.declared.name: draft.raw for draft in drafts})
    return hashlib.sha256(content.encode()).hexdigest()


def _draft(file: str, text: str) -> tuple[Draft | None, list[Mistake]]:
    """Return the draft of one file, if one can be built, and its mistakes."""
    try:
        raw = yaml_text.load(text)
    except yaml_text.InvalidText as exc:
        return None, [Mistake((), message) for message in exc.mistakes]
    mistakes: list[Mistake] = []
    valid = syntax.check(raw, mistakes.append)
    if not valid:
        return None, mistakes
    draft = build.make(file, valid, _stem(file),
                       isinstance(raw.get('properties', {}), dict))
    return draft, [*mistakes, *type_checks.mistakes(draft)]


def _stem(file: str) -> str:
    """The probable name of the type in a file that declares no valid name."""
    return file.removesuffix('.yml').removesuffix(ENDING)
