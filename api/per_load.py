# SPDX-License-Identifier: Apache-2.0
"""What the entries of one PasteDeploy file have in common.

PasteDeploy makes each entry by a factory of its own and carries only text
between them. Two that must agree are given the same thing here, by the mark
that ``service.hosting.paste`` puts on each load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from service.config import files as config_files

T = TypeVar('T')

#: By load and kind, as long as anything that was made of it is there.
_SHARED: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()


def shared(global_conf: Mapping[str, str], kind: str,
           make: Callable[[], T]) -> T:
    """What the first entry that asked for it made.

    A file that somebody else loads has no mark: there, each has its own.
    """
    load = global_conf.get(config_files.LOAD_ID)
    if load is None:
        return make()
    found: T | None = _SHARED.get((load, kind))
    if found is None:
        found = make()
        _SHARED[load, kind] = found
    return found
