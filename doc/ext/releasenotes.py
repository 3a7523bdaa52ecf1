# SPDX-License-Identifier: Apache-2.0
"""The directive ``release-notes``: the notes of reno without git history.

reno asks git which release a note belongs to. A source archive has no git
metadata but must build its documentation, so the directive lists all notes of
a directory under the section names of reno.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: Section names of reno -> their headings, in the order of reno.
HEADINGS = {
    'prelude': 'Prelude',
    'features': 'New features',
    'issues': 'Known issues',
    'upgrade': 'Upgrade notes',
    'deprecations': 'Deprecation notes',
    'critical': 'Critical issues',
    'security': 'Security issues',
    'fixes': 'Bug fixes',
    'other': 'Other notes',
}


class ReleaseNotes(SphinxDirective):
    """``.. release-notes:: directory``, relative to the document."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _, folder = self.env.relfn2path(self.arguments[0])
        notes = [(path, yaml.safe_load(path.read_text()))
                 for path in sorted(Path(folder).glob('*.yaml'))]
        for path, note in notes:
            self.env.note_dependency(str(path))
            unknown = note.keys() - HEADINGS.keys()
            if unknown:
                raise self.error(f'{path}: unknown section '
                                 f'{", ".join(sorted(unknown))}')
        return [self._section(name, list(_items(notes, name)))
                for name in HEADINGS if any(name in note for _, note in notes)]

    def _section(self, name: str, items: list[tuple[Path, str]]
                 ) -> nodes.section:
        section = nodes.section(ids=[f'notes-{name}'])
        section += nodes.title(text=HEADINGS[name])
        parsed = [self._parse(path, text) for path, text in items]
        if name == 'prelude':
            section += [node for item in parsed for node in item.children]
        else:
            section += nodes.bullet_list('', *parsed)
        return section

    def _parse(self, path: Path, text: str) -> nodes.list_item:
        item = nodes.list_item()
        lines = StringList(text.splitlines(), source=str(path))
        self.state.nested_parse(lines, 0, item)
        return item


def _items(notes: list[tuple[Path, dict[str, Any]]], name: str
           ) -> Iterator[tuple[Path, str]]:
    """Return the texts of one section. The prelude is a text, not a list."""
    for path, note in notes:
        texts = note.get(name, [])
        for text in [texts] if isinstance(texts, str) else texts:
            yield path, text


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive('release-notes', ReleaseNotes)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
