# SPDX-License-Identifier: Apache-2.0
"""The directive ``release-notes``: reno's notes without git's history.

reno asks git which release a note belongs to. A source archive has no git
metadata and still builds its documentation, so the notes of a directory are
listed by reno's own section names, whichever release they came with.
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

#: reno's section names and the headings it gives them, in its order.
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
    """``.. release-notes:: directory``, taken from this document's."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _, folder = self.env.relfn2path(self.arguments[0])
        found = [(path, yaml.safe_load(path.read_text()))
                 for path in sorted(Path(folder).glob('*.yaml'))]
        for path, note in found:
            self.env.note_dependency(str(path))
            unknown = note.keys() - HEADINGS.keys()
            if unknown:
                raise self.error(f'{path}: unknown section '
                                 f'{", ".join(sorted(unknown))}')
        return [self._section(name, list(_items(found, name)))
                for name in HEADINGS if any(name in note for _, note in found)]

    def _section(self, name: str, items: list[tuple[Path, str]]
                 ) -> nodes.section:
        section = nodes.section(ids=[f'notes-{name}'])
        section += nodes.title(text=HEADINGS[name])
        for path, text in items:
            lines = StringList(text.splitlines(), source=str(path))
            self.state.nested_parse(lines, 0, section)
        return section


def _items(found: list[tuple[Path, dict[str, Any]]], name: str
           ) -> Iterator[tuple[Path, str]]:
    """The texts of one section: the prelude is text, the others lists."""
    for path, note in found:
        texts = note.get(name, [])
        for text in [texts] if isinstance(texts, str) else texts:
            yield path, text


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive('release-notes', ReleaseNotes)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
