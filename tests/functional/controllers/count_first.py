# SPDX-License-Identifier: Apache-2.0
"""Quotas done wrong, as they easily are: look how many there are, then make
one more. Served in the place of the API, for a test that must tell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from api import app
from service.domain import errors
from service.domain.catalogue.types import ResourceType
from service.domain.records import limits
from service.domain.records.store import Record, Rows


def factory(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.app_factory``, for the process that it is called in."""
    limits.take = _take
    return app.factory(global_conf, **local)


def _take(rows: Rows, declared: ResourceType, made: Collection[Record],
          given: Mapping[str, limits.Given]) -> None:
    for project_id, more in Counter(
            one['project_id'] for one in made).items():
        used = rows.used(declared, project_id)
        most = limits.limit(declared, {}, None)
        time.sleep(0.01)    # what a busy machine does to anybody
        if most != limits.UNLIMITED and used + more > most:
            raise errors.QuotaExceeded(limit=most, used=used, wanted=more,
                                       plural=declared.plural)
        rows.use(declared, project_id, more)
