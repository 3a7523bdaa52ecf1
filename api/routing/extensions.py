# SPDX-License-Identifier: Apache-2.0
"""Where YAML is not enough: a Python controller for a declared type.

A type file names a class (``controller: package.module:Class``). Its methods
say beside themselves what their Route meets: the body's schema, the policy
rule, the microversion. ``action`` methods answer
``POST /v1/hosts/{id}/action``, ``route`` methods answer paths of their own.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from api.request.schemas import compiled
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.typefiles.vocabulary import ACTIONS
from service.errors import StartError

F = TypeVar('F', bound=Callable[..., Any])

_DECLARATION = '_pileus_said'


@dataclass(frozen=True, slots=True)
class Action:
    """One action: ``{"retire": {...}}`` in the body calls ``method``.

    ``check`` is the policy rule's default, such as ``role:admin``; None: who
    may patch the record may act on it.
    """

    name: str
    schema: Mapping[str, Any]
    check: str | None
    since: Version
    method: str


@dataclass(frozen=True, slots=True)
class ControllerPath:
    """One path of a controller's own, below the type's collection."""

    name: str
    verb: str
    path: str
    check: str | None
    since: Version
    body: tuple[str, ...]
    query: frozenset[str]
    method: str


def action(*, schema: Mapping[str, Any], check: str | None = None,
           since: str = '1.0', name: str | None = None) -> Callable[[F], F]:
    """Make a method an action, named as the method unless ``name`` is given.

    The method is called as ``method(call, id, arguments)`` and returns a
    response; ``schema`` is the JSON Schema of ``arguments``.
    """
    first = Version.parse(since)

    def said(method: F) -> F:
        setattr(method, _DECLARATION, Action(
            name or method.__name__, schema, check, first, method.__name__))
        return method
    return said


def route(verb: str, path: str, *, check: str | None = None,
          since: str = '1.0', body: Iterable[str] = (),
          query: Iterable[str] = ()) -> Callable[[F], F]:
    """Bind a method to a path below the collection: ``/{id}/summary``.

    The method is called as ``method(call, **values of the path)``.
    """
    first = Version.parse(since)

    def said(method: F) -> F:
        setattr(method, _DECLARATION, ControllerPath(
            method.__name__, verb, path, check, first, tuple(body),
            frozenset(query), method.__name__))
        return method
    return said


@dataclass(frozen=True)
class Extension:
    """The controller class of a type, and what its methods say."""

    declared: ResourceType
    controller: type[Any]
    actions: Mapping[str, Action]
    paths: tuple[ControllerPath, ...]

    @property
    def methods(self) -> tuple[Action | ControllerPath, ...]:
        return (*self.actions.values(), *self.paths)

    @property
    def rules(self) -> Iterator[tuple[str, str | None]]:
        """The policy action and default check of each method."""
        for one in self.methods:
            yield one.name, one.check

    @property
    def maximum(self) -> Version:
        return max((one.since for one in self.methods), default=FIRST_VERSION)


def load(catalogue: Catalogue) -> tuple[Extension, ...]:
    """The extensions of all types; StartError names what cannot be loaded."""
    return tuple(_extension(one) for one in catalogue.live if one.controller)


def _extension(declared: ResourceType) -> Extension:
    controller = _class(declared)
    found = declared_methods(controller)
    for one in found:
        _check_method(declared, one)
    return Extension(
        declared, controller,
        {one.name: one for one in found if isinstance(one, Action)},
        tuple(one for one in found if isinstance(one, ControllerPath)))


def declared_methods(controller: type[Any]) -> list[Action | ControllerPath]:
    """What the methods of a controller class say beside themselves."""
    return [getattr(method, _DECLARATION) for _, method in inspect.getmembers(
        controller, inspect.isfunction) if hasattr(method, _DECLARATION)]


def _class(declared: ResourceType) -> type[Any]:
    assert declared.controller is not None
    module, _, name = declared.controller.partition(':')
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise StartError(f'the type {declared.name}: controller: '
                         f'{declared.controller}: {exc}') from exc
    if not inspect.isclass(found):
        raise StartError(f'the type {declared.name}: controller: '
                         f'{declared.controller} is not a class')
    return found


def _check_method(declared: ResourceType,
                  one: Action | ControllerPath) -> None:
    """What every type has is not for a controller to have otherwise: its
    name stands for the rule of that too."""
    if one.name in ACTIONS:
        raise StartError(
            f'the type {declared.name}: controller: {declared.controller}: '
            f'{one.name} is what every type has; give the method another '
            f'name')
    if isinstance(one, ControllerPath):
        return
    try:
        compiled(one.schema)
    except ValueError as exc:
        raise StartError(
            f'the type {declared.name}: controller: {declared.controller}: '
            f'the schema of {one.name}: {exc}') from exc
