# SPDX-License-Identifier: Apache-2.0
"""Limits from Keystone: names, cache and failures."""

from __future__ import annotations

import pytest

from service import unified_limits
from service.domain.catalogue.types import ResourceType
from service.domain.errors import Unavailable
from service.unified_limits import UnifiedLimits

HOST, RACK = ResourceType('host', 'hosts'), ResourceType('rack', 'racks')


class Keystone:
    """A fake Keystone that records the projects it was asked about."""

    def __init__(self) -> None:
        self.registered = {'hosts': 5}
        self.projects: list[str] = []
        self.now = 0.0

    def limits(self, project_id: str) -> dict[str, int]:
        self.projects.append(project_id)
        if not self.registered:
            raise Unavailable
        return dict(self.registered)


@pytest.fixture
def keystone():
    return Keystone()


@pytest.fixture
def limits(keystone):
    return UnifiedLimits(keystone.limits, 5.0, lambda: keystone.now)


def test_limits_are_registered_by_plural(limits):
    assert limits.fetch('alpha', [HOST, RACK]) == {
        'host': 5, 'rack': unified_limits.UNREGISTERED_LIMIT}


def test_limits_are_cached_for_each_project(limits, keystone):
    for project in ('alpha', 'beta', 'alpha'):
        limits.fetch(project, [HOST])
    assert keystone.projects == ['alpha', 'beta']
    keystone.registered['hosts'] = 6
    keystone.now = 4.9
    assert limits.fetch('alpha', [HOST]) == {'host': 5}
    keystone.now = 5.0
    assert limits.fetch('alpha', [HOST]) == {'host': 6}


def test_a_failure_is_not_cached(limits, keystone):
    keystone.registered = {}
    with pytest.raises(Unavailable):
        limits.fetch('alpha', [HOST])
    keystone.registered = {'hosts': 1}
    assert limits.fetch('alpha', [HOST]) == {'host': 1}


def test_the_cache_is_bounded(limits, keystone,
                              monkeypatch):
    monkeypatch.setattr(unified_limits, 'MAX_PROJECTS', 2)
    for project in ('alpha', 'beta', 'gamma', 'gamma', 'alpha'):
        limits.fetch(project, [HOST])
    assert keystone.projects == ['alpha', 'beta', 'gamma', 'alpha']
