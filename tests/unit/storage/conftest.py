# SPDX-License-Identifier: Apache-2.0
"""Fixture: a world with a simple type."""

import pytest

from tests.unit import stored

DESK = '''
name: desk
plural: desks
properties: {name: {type: string}}
'''


@pytest.fixture
def desks(tmp_path):
    world = stored.world(tmp_path, desk=DESK)
    yield world
    world.engine.dispose()
