# SPDX-License-Identifier: Apache-2.0
"""Limits that are kept in Keystone: what is remembered of them, how long."""

from __future__ import annotations

import pytest

from service import unified_limits
from service.domain.catalogue.types import ResourceType
from service.domain.errors import Unavailable
from service.unified_limits import UnifiedLimits

HOST, RACK = ResourceType('host', 'hosts'), ResourceType('rack', 'racks')


class Keystone:
    """What is registered in it, and how often it was asked."""

    def __init__(self) -> None:
        self.registered = {'hosts': 5}
        self.asked: list[str] = []
        self.now = 0.0

    def limits(self, project_id: str) -> dict[str, int]:
        self.asked.append(project_id)
        if not self.registered:
            raise Unavailable
        return dict(self.registered)


@pytest.fixture
def keystone():
    return Keystone()


@pytest.fixture
def limits(keystone):
    return UnifiedLimits(keystone.limits, 5.0, lambda: keystone.now)


def test_a_limit_has_the_plural_for_its_name(limits):
    assert limits.fetch('alpha', [HOST, RACK]) == {
        'host': 5, 'rack': unified_limits.UNREGISTERED_LIMIT}


def test_keystone_is_asked_once_in_a_while_for_each_project(limits, keystone):
    for project in ('alpha', 'beta', 'alpha'):
        limits.fetch(project, [HOST])
    assert keystone.asked == ['alpha', 'beta']
    keystone.registered['hosts'] = 6
    keystone.now = 4.9
    assert limits.fetch('alpha', [HOST]) == {'host': 5}
    keystone.now = 5.0
    assert limits.fetch('alpha', [HOST]) == {'host': 6}


def test_without_an_answer_nothing_is_made_up(limits, keystone):
    keystone.registered = {}
    with pytest.raises(Unavailable):
        limits.fetch('alpha', [HOST])
    keystone.registered = {'hosts': 1}
    assert limits.fetch('alpha', [HOST]) == {'host': 1}


def test_not_all_projects_of_the_world_are_remembered(limits, keystone,
                                                      monkeypatch):
    monkeypatch.setattr(unified_limits, 'MAX_PROJECTS', 2)
    for project in ('alpha', 'beta', 'gamma', 'gamma', 'alpha'):
        limits.fetch(project, [HOST])
    assert keystone.asked == ['alpha', 'beta', 'gamma', 'alpha']
