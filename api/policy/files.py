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
from service.hosting.handover import Handover

#: A file's time of writing, of any change, size and inode; None: not there.
FileState = tuple[int, ...] | None
Signature = tuple[tuple[str, FileState], ...]

#: Where the policy file is looked for when no option names it.
_DEFAULT_NAME = 'policy.yaml'
_STRING_TAG = 'tag:yaml.org,2002:str'

#: What it is kept as for a worker that takes this one's place.
_HANDOVER_NAME = 'policy'


class InvalidPolicy(Exception):
    """What is wrong with the files or with what they say, in one line."""


class FileRule(NamedTuple):
    """A rule of a file. ``doubt`` is what nobody can have meant by it."""

    text: str
    place: str
    doubt: str = ''


class LoadedRules(NamedTuple):
    """Rules that did, of files that then looked so; the ``main`` one, if
    there was one."""

    given: Mapping[str, FileRule]
    signature: Signature
    main: str | None


class PolicyFiles:
    """``[oslo_policy] policy_file`` and what stands in ``policy_dirs``.

    ``good`` is what was last put in force of them; None before a start. It
    outlives the types it was put in force for, and the worker.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 handover: Handover | None = None) -> None:
        self._handover = handover or Handover()
        self._good = _from_handover(self._handover.get(_HANDOVER_NAME))
        conf.register_opts(opts.list_opts()[0][1], 'oslo_policy')
        self.name: str = conf.oslo_policy.policy_file
        self._folders: list[str] = conf.oslo_policy.policy_dirs
        self._directories = files.directories(conf)

    @property
    def good(self) -> LoadedRules | None:
        return self._good

    @good.setter
    def good(self, good: LoadedRules) -> None:
        self._good = good
        self._handover.put(_HANDOVER_NAME, good)

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
        return self.name != _DEFAULT_NAME

    def paths(self) -> list[str]:
        """Every file there is, the ones that win last."""
        inside = (one for folder in self.folders for one in _files_in(folder))
        return [*filter(None, [self.main]), *inside]

    def signature(self) -> Signature:
        """What differs after any change; PERF: a few calls of stat."""
        return tuple((path, _file_state(path)) for path in self.paths())

    def read(self, *, blank: bool = True) -> dict[str, FileRule]:
        """Return the rules of all files by name.

        Raises InvalidPolicy if a file is not a policy file, or is empty and
        not ``blank``.
        """
        found: dict[str, FileRule] = {}
        for path in self.paths():
            text = _read_text(path)
            if not blank and not text.strip():
                raise InvalidPolicy(f'{path}: is empty; write {{}} if the '
                                    f'defaults shall hold')
            found.update(_parse(path, text))
        return found

    def _found(self, name: str) -> str | None:
        """A path in the config directories, and nowhere else: oslo.policy
        goes on to look in the home directory and in /etc."""
        paths = (os.path.join(one, name) for one in self._directories)
        return next(filter(os.path.exists, paths), None)


def _from_handover(left: Any) -> LoadedRules | None:
    """What another worker left, of which JSON has made lists."""
    if left is None:
        return None
    given, signature, main = left
    return LoadedRules({name: FileRule(*one) for name, one in given.items()},
                tuple((path, mark and tuple(mark))
                      for path, mark in signature), main)


def _files_in(folder: str) -> list[str]:
    """The files of a folder; one that cannot be listed has none to read."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    paths = (os.path.join(folder, one) for one in names
             if not one.startswith('.'))
    return [one for one in paths if os.path.isfile(one)]


def _file_state(path: str) -> FileState:
    try:
        told = os.stat(path)
    except OSError:
        return None
    return (told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)


def _read_text(path: str) -> str:
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError as exc:
        raise InvalidPolicy(f'{path}: {exc.strerror}') from exc
    except UnicodeDecodeError as exc:
        raise InvalidPolicy(f'{path}: is not text in UTF-8') from exc


def _parse(path: str, text: str) -> Iterator[tuple[str, FileRule]]:
    seen: dict[str, int] = {}
    for key, value in _pairs(path, text):
        line = key.start_mark.line + 1
        place = f'{path}: line {line}: {printable(shorten(str(key.value)))}'
        if key.tag != _STRING_TAG or value.tag != _STRING_TAG:
            raise InvalidPolicy(f'{place}: a rule is a name and a text in '
                                f'quotes, such as "role:admin"')
        doubt = (f'stands in line {seen[key.value]} already'
                 if key.value in seen else '')
        seen[key.value] = line
        yield key.value, FileRule(value.value, place, doubt)


def _pairs(path: str, text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """The nodes of the file's mapping; a file of comments only has none."""
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f'line {mark.line + 1}: ' if mark else ''
        raise InvalidPolicy(f'{path}: {line}{exc.problem}') from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise InvalidPolicy(f'{path}: {" ".join(str(exc).split())}') from exc
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise InvalidPolicy(f'{path}: line {root.start_mark.line + 1}: it is '
                            f'not a mapping of names to rules')
    return list(root.value)
