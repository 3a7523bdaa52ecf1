# SPDX-License-Identifier: Apache-2.0
"""The API with a race in its quota check: it counts, then creates.

A test serves it in place of the API, to show that the test detects the race.
"""

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
    """``paste.app_factory``; it replaces the quota check in this process."""
    limits.reserve = _count_then_use
    return app.factory(global_conf, **local)


def _count_then_use(rows: Rows, declared: ResourceType,
                    records: Collection[Record],
                    external: Mapping[str, limits.LimitsByType]) -> None:
    for project_id, count in Counter(
            record['project_id'] for record in records).items():
        used = rows.used(declared, project_id)
        limit = limits.effective_limit(declared, {}, None)
        time.sleep(0.01)    # let other requests run, as on a busy machine
        if limit != limits.UNLIMITED and used + count > limit:
            raise errors.QuotaExceeded(limit=limit, used=used, wanted=count,
                                       plural=declared.plural)
        rows.use(declared, project_id, count)
