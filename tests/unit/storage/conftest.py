# SPDX-License-Identifier: Apache-2.0
"""Records for what is asked of single rows."""

import pytest

from tests.unit import stored

DESK = '''
name: desk
plural: desks
properties: {name: {type: string}}
'''


@pytest.fixture
def desks(tmp_path):
    made = stored.world(tmp_path, desk=DESK)
    yield made
    made.engine.dispose()
