# SPDX-License-Identifier: Apache-2.0
"""Python controllers, which add actions and paths to a declared type.

A type file names a class (``controller: package.module:Class``). Decorators
of its methods declare the body's schema, the policy rule and the
microversion. An ``action`` method answers ``POST /v1/hosts/{id}/action``; a
``route`` method answers a path of its own.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from api.request.schemas import compile_schema
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.typefiles.vocabulary import ACTIONS
from service.errors import StartError

F = TypeVar('F', bound=Callable[..., Any])

#: The attribute in which the decorators store a method's declaration.
_DECLARATION = '_pileus_declaration'


@dataclass(frozen=True, slots=True)
class Action:
    """One action: ``{"retire": {...}}`` in the body calls ``method``.

    ``check`` is the policy rule's default, such as ``role:admin``. Without a
    check, callers who may patch the record may call the action.
    """

    name: str
    schema: Mapping[str, Any]
    check: str | None
    since: Version
    method: str


@dataclass(frozen=True, slots=True)
class ControllerPath:
    """A path below the type's collection that a controller adds."""

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
    """Make a method an action; ``name`` defaults to the method's name.

    The method is called as ``method(call, id, arguments)`` and returns a
    response; ``schema`` is the JSON Schema of ``arguments``.
    """
    first = Version.parse(since)

    def declare(method: F) -> F:
        setattr(method, _DECLARATION, Action(
            name or method.__name__, schema, check, first, method.__name__))
        return method
    return declare


def route(verb: str, path: str, *, check: str | None = None,
          since: str = '1.0', body: Iterable[str] = (),
          query: Iterable[str] = ()) -> Callable[[F], F]:
    """Bind a method to a path below the collection, as ``/{id}/summary``.

    The method is called with the call and the values of the path by name.
    ``body`` are the accepted media types, ``query`` the known parameters.
    """
    first = Version.parse(since)

    def declare(method: F) -> F:
        setattr(method, _DECLARATION, ControllerPath(
            method.__name__, verb, path, check, first, tuple(body),
            frozenset(query), method.__name__))
        return method
    return declare


@dataclass(frozen=True)
class Extension:
    """The controller class of a type, with its actions and paths."""

    declared: ResourceType
    controller: type[Any]
    actions: Mapping[str, Action]
    paths: tuple[ControllerPath, ...]

    @property
    def methods(self) -> tuple[Action | ControllerPath, ...]:
        return (*self.actions.values(), *self.paths)

    @property
    def rules(self) -> Iterator[tuple[str, str | None]]:
        """The policy action and the default check of each method."""
        for method in self.methods:
            yield method.name, method.check

    @property
    def maximum(self) -> Version:
        """The newest version that a method declares."""
        return max((method.since for method in self.methods),
                   default=FIRST_VERSION)


def load(catalogue: Catalogue) -> tuple[Extension, ...]:
    """Return the extensions of all types.

    Raises StartError for a controller that cannot be loaded.
    """
    return tuple(_extension(declared) for declared in catalogue.live
                 if declared.controller)


def _extension(declared: ResourceType) -> Extension:
    controller = _class(declared)
    methods = declared_methods(controller)
    for method in methods:
        _check_method(declared, method)
    return Extension(
        declared, controller,
        {method.name: method for method in methods
         if isinstance(method, Action)},
        tuple(method for method in methods
              if isinstance(method, ControllerPath)))


def declared_methods(controller: type[Any]) -> list[Action | ControllerPath]:
    """Return what the decorators of a controller's methods declare."""
    return [getattr(method, _DECLARATION) for _, method in inspect.getmembers(
        controller, inspect.isfunction) if hasattr(method, _DECLARATION)]


def _class(declared: ResourceType) -> type[Any]:
    assert declared.controller is not None
    module, _, name = declared.controller.partition(':')
    try:
        controller = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise StartError(f'the type {declared.name}: controller: '
                         f'{declared.controller}: {exc}') from exc
    if not inspect.isclass(controller):
        raise StartError(f'the type {declared.name}: controller: '
                         f'{declared.controller} is not a class')
    return controller


def _check_method(declared: ResourceType,
                  method: Action | ControllerPath) -> None:
    """Raise StartError for the name of a built-in action or a bad schema.

    A policy rule is named for its action: two actions of the same name would
    share one rule.
    """
    if method.name in ACTIONS:
        raise StartError(
            f'the type {declared.name}: controller: {declared.controller}: '
            f'every type has an action {method.name}; give the method '
            f'another name')
    if isinstance(method, ControllerPath):
        return
    try:
        compile_schema(method.schema)
    except ValueError as exc:
        raise StartError(
            f'the type {declared.name}: controller: {declared.controller}: '
            f'the schema of {method.name}: {exc}') from exc
