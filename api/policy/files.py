# SPDX-License-Identifier: Apache-2.0
"""Find and read the operator's policy files.

oslo.policy could read the files too, but it gives no line numbers, takes a
missing value for "allow everybody", and reports a mistake only when the rule
is first checked.
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

#: Times of modification and change, size and inode; None for no file.
FileState = tuple[int, ...] | None
Signature = tuple[tuple[str, FileState], ...]

#: Default of ``[oslo_policy] policy_file``.
_DEFAULT_NAME = 'policy.yaml'
_STRING_TAG = 'tag:yaml.org,2002:str'

#: Name of the rules in the handover to a replacement worker.
_HANDOVER_NAME = 'policy'


class InvalidPolicy(Exception):
    """The policy files are invalid; the text names all mistakes in one line.
    """


class FileRule(NamedTuple):
    """A rule of a file; ``warning`` says why it is probably a mistake."""

    text: str
    place: str
    warning: str = ''


class LoadedRules(NamedTuple):
    """The last valid rules, and the signature of the files they came from.

    ``main`` is the path of the policy file, or None if there was none.
    """

    rules: Mapping[str, FileRule]
    signature: Signature
    main: str | None


class PolicyFiles:
    """The files of ``[oslo_policy] policy_file`` and ``policy_dirs``.

    ``in_force`` holds the rules that were last put in force, or None. They
    outlive a change of the catalogue, and the worker.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 handover: Handover | None = None) -> None:
        self._handover = handover or Handover()
        self._in_force = _from_handover(self._handover.get(_HANDOVER_NAME))
        conf.register_opts(opts.list_opts()[0][1], 'oslo_policy')
        self.name: str = conf.oslo_policy.policy_file
        self._folders: list[str] = conf.oslo_policy.policy_dirs
        self._directories = files.directories(conf)

    @property
    def in_force(self) -> LoadedRules | None:
        return self._in_force

    @in_force.setter
    def in_force(self, in_force: LoadedRules) -> None:
        self._in_force = in_force
        self._handover.put(_HANDOVER_NAME, in_force)

    @property
    def main(self) -> str | None:
        """The path of the policy file, or None if it does not exist."""
        return self._path(self.name)

    @property
    def folders(self) -> list[str]:
        return list(filter(None, map(self._path, self._folders)))

    @property
    def explicit(self) -> bool:
        """Whether the operator named a policy file, which then must exist."""
        return self.name != _DEFAULT_NAME

    def paths(self) -> list[str]:
        """Return all existing files; rules of later files win."""
        inside = (path for folder in self.folders
                  for path in _files_in(folder))
        return [*filter(None, [self.main]), *inside]

    def signature(self) -> Signature:
        """Return a value that differs after any change of the files.

        PERF: takes one ``stat`` for each file.
        """
        return tuple((path, _file_state(path)) for path in self.paths())

    def read(self, *, blank: bool = True) -> dict[str, FileRule]:
        """Return the rules of all files by name.

        Raises InvalidPolicy if a file is not a policy file, or is empty and
        not ``blank``.
        """
        rules: dict[str, FileRule] = {}
        for path in self.paths():
            text = _read_text(path)
            if not blank and not text.strip():
                raise InvalidPolicy(f'{path}: the file is empty; write {{}} '
                                    f'to use the default rules')
            rules.update(_parse(path, text))
        return rules

    def _path(self, name: str) -> str | None:
        """Return the path of a name in the config directories, or None.

        oslo.policy would also search the home directory and ``/etc``.
        """
        paths = (os.path.join(directory, name)
                 for directory in self._directories)
        return next(filter(os.path.exists, paths), None)


def _from_handover(handed_over: Any) -> LoadedRules | None:
    """Return the rules of an earlier worker, which JSON turned into lists."""
    if handed_over is None:
        return None
    rules, signature, main = handed_over
    return LoadedRules({name: FileRule(*rule) for name, rule in rules.items()},
                       tuple((path, mark and tuple(mark))
                             for path, mark in signature), main)


def _files_in(folder: str) -> list[str]:
    """Return the files of a folder; none if it cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    paths = (os.path.join(folder, name) for name in names
             if not name.startswith('.'))
    return [path for path in paths if os.path.isfile(path)]


def _file_state(path: str) -> FileState:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size,
            status.st_ino)


def _read_text(path: str) -> str:
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError as exc:
        raise InvalidPolicy(f'{path}: {exc.strerror}') from exc
    except UnicodeDecodeError as exc:
        raise InvalidPolicy(f'{path}: the file is not valid UTF-8') from exc


def _parse(path: str, text: str) -> Iterator[tuple[str, FileRule]]:
    lines: dict[str, int] = {}
    for key, value in _pairs(path, text):
        line = key.start_mark.line + 1
        place = f'{path}: line {line}: {printable(shorten(str(key.value)))}'
        if key.tag != _STRING_TAG or value.tag != _STRING_TAG:
            raise InvalidPolicy(f'{place}: a rule needs a name and a check '
                                f'in quotes, such as "role:admin"')
        warning = (f'the rule is already in line {lines[key.value]}'
                   if key.value in lines else '')
        lines[key.value] = line
        yield key.value, FileRule(value.value, place, warning)


def _pairs(path: str, text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the nodes of the file's mapping; none if it has only comments."""
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
        raise InvalidPolicy(f'{path}: line {root.start_mark.line + 1}: the '
                            f'file is not a mapping of rule names to checks')
    return list(root.value)
