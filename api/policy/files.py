# SPDX-License-Identifier: Apache-2.0
"""The operator's policy files: where they are, what they say, line by line.

oslo.policy reads them too, but tells no line, takes a missing value for "let
everybody in" and fails only when a rule is first asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from oslo_config import cfg
from oslo_policy import opts

from service.config import files
from service.domain.errors import printable, shorten
from service.hosting.handover import Keepsake

#: A file's time of writing, of any change, size and inode; None: not there.
Mark = tuple[int, ...] | None
Signature = tuple[tuple[str, Mark], ...]

#: Where the policy file is looked for when no option names it.
_USUAL = 'policy.yaml'
_TEXT = 'tag:yaml.org,2002:str'

#: What it is kept as for a worker that takes this one's place.
_KEPT = 'policy'


class Unsound(Exception):
    """What is wrong with the files or with what they say, in one line."""


class Given(NamedTuple):
    """A rule of a file. ``doubt`` is what nobody can have meant by it."""

    text: str
    place: str
    doubt: str = ''


class Good(NamedTuple):
    """Rules that did, of files that then looked so; the ``main`` one, if
    there was one."""

    given: Mapping[str, Given]
    signature: Signature
    main: str | None


class Files:
    """``[oslo_policy] policy_file`` and what stands in ``policy_dirs``.

    ``good`` is what was last put in force of them; None before a start. It
    outlives the types it was put in force for, and the worker.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 kept: Keepsake | None = None) -> None:
        self._kept = kept or Keepsake()
        self._good = _good(self._kept.find(_KEPT))
        conf.register_opts(opts.list_opts()[0][1], 'oslo_policy')
        self.name: str = conf.oslo_policy.policy_file
        self._folders: list[str] = conf.oslo_policy.policy_dirs
        self._directories = files.directories(conf)

    @property
    def good(self) -> Good | None:
        return self._good

    @good.setter
    def good(self, good: Good) -> None:
        self._good = good
        self._kept.leave(_KEPT, good)

    @property
    def main(self) -> str | None:
        """The policy file, if there is one."""
        return self._found(self.name)

    @property
    def folders(self) -> list[str]:
        return list(filter(None, map(self._found, self._folders)))

    @property
    def chosen(self) -> bool:
        """The operator named a file, and so means one to be there."""
        return self.name != _USUAL

    def paths(self) -> list[str]:
        """Every file there is, the ones that win last."""
        inside = (one for folder in self.folders for one in _within(folder))
        return [*filter(None, [self.main]), *inside]

    def signature(self) -> Signature:
        """What differs after any change; PERF: a few calls of stat."""
        return tuple((path, _mark(path)) for path in self.paths())

    def read(self, *, blank: bool = True) -> dict[str, Given]:
        """The rules of all files by name; Unsound where one is no such file,
        or has not one letter and may not be ``blank``.
        """
        found: dict[str, Given] = {}
        for path in self.paths():
            text = _text(path)
            if not blank and not text.strip():
                raise Unsound(f'{path}: is empty; write {{}} if the defaults '
                              f'shall hold')
            found.update(_read(path, text))
        return found

    def _found(self, name: str) -> str | None:
        """A path in the config directories, and nowhere else: oslo.policy
        goes on to look in the home directory and in /etc."""
        paths = (os.path.join(one, name) for one in self._directories)
        return next(filter(os.path.exists, paths), None)


def _good(left: Any) -> Good | None:
    """What another worker left, of which JSON has made lists."""
    if left is None:
        return None
    given, signature, main = left
    return Good({name: Given(*one) for name, one in given.items()},
                tuple((path, mark and tuple(mark))
                      for path, mark in signature), main)


def _within(folder: str) -> list[str]:
    """The files of a folder; one that cannot be listed has none to read."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    paths = (os.path.join(folder, one) for one in names
             if not one.startswith('.'))
    return [one for one in paths if os.path.isfile(one)]


def _mark(path: str) -> Mark:
    try:
        told = os.stat(path)
    except OSError:
        return None
    return (told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)


def _text(path: str) -> str:
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError as exc:
        raise Unsound(f'{path}: {exc.strerror}') from exc
    except UnicodeDecodeError as exc:
        raise Unsound(f'{path}: is not text in UTF-8') from exc


def _read(path: str, text: str) -> Iterator[tuple[str, Given]]:
    seen: dict[str, int] = {}
    for key, value in _pairs(path, text):
        line = key.start_mark.line + 1
        place = f'{path}: line {line}: {printable(shorten(str(key.value)))}'
        if key.tag != _TEXT or value.tag != _TEXT:
            raise Unsound(f'{place}: a rule is a name and a text in quotes, '
                          f'such as "role:admin"')
        doubt = (f'stands in line {seen[key.value]} already'
                 if key.value in seen else '')
        seen[key.value] = line
        yield key.value, Given(value.value, place, doubt)


def _pairs(path: str, text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """The nodes of the file's mapping; a file of comments only has none."""
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f'line {mark.line + 1}: ' if mark else ''
        raise Unsound(f'{path}: {line}{exc.problem}') from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise Unsound(f'{path}: {" ".join(str(exc).split())}') from exc
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise Unsound(f'{path}: line {root.start_mark.line + 1}: it is not a '
                      f'mapping of names to rules')
    return list(root.value)
