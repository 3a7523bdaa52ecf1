# SPDX-License-Identifier: Apache-2.0
"""Objects that the entries of one loaded PasteDeploy file share.

PasteDeploy creates each entry with a separate factory and passes only text
between them. ``service.hosting.paste`` puts the id of the load into that
text; ``shared`` returns the same object for the same load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from service.config import files as config_files

T = TypeVar('T')

#: Shared objects by load and kind, for as long as an application uses them.
_SHARED: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()


def shared(global_conf: Mapping[str, str], kind: str,
           make: Callable[[], T]) -> T:
    """Return the object of this kind for this load; the first call makes it.

    Another program that loads the PasteDeploy file sets no load id: then each
    entry gets an object of its own.
    """
    load = global_conf.get(config_files.LOAD_ID)
    if load is None:
        return make()
    instance: T | None = _SHARED.get((load, kind))
    if instance is None:
        instance = make()
        _SHARED[load, kind] = instance
    return instance
