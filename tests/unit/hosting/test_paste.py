# SPDX-License-Identifier: Apache-2.0
"""Loading the application, and the errors if it cannot be loaded."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oslo_log import log

from service.config import files as config_files
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError
from service.hosting import paste

FACTORIES = """
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError

def app(global_conf, **local):
    return (global_conf['config_dirs'], local)

def lens(global_conf, **local):
    return lambda app: (local, app)

def broken(global_conf, **local):
    raise ValueError('hair on\\nthe lens')

def broken_around(global_conf):
    def around(app):
        raise ValueError('does not fit')
    return around

def missing(global_conf):
    import nosuch.module

def start(global_conf):
    raise StartError('plain words')

def types(global_conf):
    raise DeclarationError(['b.yaml: two', 'a.yaml: one'])
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
         ) -> Iterator[Callable[[str], object]]:
    """Load the application ``pileus`` of a paste file with this text."""
    (tmp_path / 'factories_of_a_test.py').write_text(FACTORIES)
    monkeypatch.syspath_prepend(str(tmp_path))

    def from_text(text: str) -> object:
        (tmp_path / 'api-paste.ini').write_text(
            text.replace('FACTORY', 'factories_of_a_test:'))
        return paste.load(config_files.load(['--config-dir', str(tmp_path)]))
    yield from_text
    sys.modules.pop('factories_of_a_test', None)


APP = '[app:inner]\npaste.app_factory = FACTORYapp\nword = one\n'
PIPELINE = '[pipeline:pileus]\npipeline = first second inner\n'
FILTER = '[filter:{}]\npaste.filter_factory = FACTORY{}\n'
WHOLE = (PIPELINE + APP + FILTER.format('first', 'lens')
         + FILTER.format('second', 'lens'))


def test_a_pipeline_is_composed_with_its_options(
        load: Callable[[str], object], tmp_path: Path) -> None:
    assert load(WHOLE + 'colour = red\n') == (
        {}, ({'colour': 'red'}, (str(tmp_path), {'word': 'one'})))


@pytest.mark.parametrize('text, parts', [
    ('pipeline = x\n', ['no section headers']),
    (APP, ["'pileus'"]),
    (PIPELINE + APP, ['"pileus"', "'first'"]),
    (PIPELINE + APP + FILTER.format('first', 'lens'),
     ['in its entry "second"', "'second'"]),
    (WHOLE.replace('second]\npaste.filter_factory = FACTORYlens',
                   'second]\npaste.filter_factory = FACTORYbroken'),
     ['in its entry "second": ValueError: hair on the lens',
      'factories_of_a_test.py:']),
    (WHOLE.replace('first]\npaste.filter_factory = FACTORYlens',
                   'first]\npaste.filter_factory = FACTORYbroken'),
     ['in its entry "first": ValueError: hair on the lens']),
    (WHOLE.replace('first]\npaste.filter_factory = FACTORYlens',
                   'first]\npaste.filter_factory = FACTORYbroken_around'),
     ['the app "pileus": ValueError: does not fit']),
    (WHOLE.replace('inner]\npaste.app_factory = FACTORYapp',
                   'inner]\npaste.app_factory = FACTORYnosuch'),
     ['in its entry "inner": AttributeError', "'nosuch'"]),
    (WHOLE.replace('inner]\npaste.app_factory = FACTORYapp',
                   'inner]\npaste.app_factory = nosuch.place:app'),
     ['in its entry "inner": cannot import: ', "'nosuch'"]),
    (WHOLE.replace('inner]\npaste.app_factory = FACTORYapp\nword = one',
                   'inner]\npaste.app_factory = FACTORYmissing'),
     ['in its entry "inner": cannot import: ', "'nosuch'"]),
    (WHOLE.replace('paste.app_factory = FACTORYapp\n', ''),
     ['in its entry "inner"', 'No loader given']),
])
def test_an_error_is_one_line_with_file_and_entry(
        load: Callable[[str], object], tmp_path: Path, text: str, parts:
        list[str]) -> None:
    with pytest.raises(StartError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith(f'{tmp_path}/api-paste.ini: cannot load the app '
                              '"pileus"')
    assert [part for part in parts if part not in message] == []
    assert '\n' not in message
    assert caught.value.__cause__ is not None


def test_a_missing_paste_file_is_reported(tmp_path: Path) -> None:
    conf = config_files.load(['--config-dir', str(tmp_path)])
    with pytest.raises(StartError, match='paste_config = api-paste.ini: no '
                       f'such file.*{tmp_path}'):
        paste.load(conf)


@pytest.mark.parametrize('factory, message', [
    ('start', 'plain words'), ('types', 'a.yaml: one\nb.yaml: two')])
def test_start_errors_of_a_factory_are_passed_on(
        load: Callable[[str], object], factory: str, message: str) -> None:
    with pytest.raises(StartError) as caught:
        load(f'[app:pileus]\npaste.app_factory = FACTORY{factory}\n')
    assert str(caught.value) == message
    assert factory == 'start' or isinstance(caught.value.__cause__,
                                            DeclarationError)


def test_debug_lines_name_the_entries_in_order(
        load: Callable[[str], object] ) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = log.getLogger('service.hosting.paste').logger
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        load(WHOLE)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    lines = written.getvalue().splitlines()
    assert lines[0].startswith('loading the app "pileus" of /')
    assert lines[1:5] == [f'building the entry "{name}"' for name in
                          ('pileus', 'inner', 'first', 'second')]
    assert lines[5].startswith('loaded the app "pileus"')
