# SPDX-License-Identifier: Apache-2.0
"""The directives ``package-map`` and ``package-index``.

Both read the docstrings of the code: the map has one row for each package, the
index has a section for each package with one line for each of its modules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]


def packages() -> Iterator[Path]:
    """The directory of every package, parents first."""
    for top in ('api', 'service'):
        for path in sorted((ROOT / top).rglob('__init__.py'),
                           key=lambda path: path.parent.parts):
            yield path.parent


def summary(path: Path) -> str:
    """The first paragraph of a module's docstring, as one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ''
    return ' '.join(text.partition('\n\n')[0].split())


def name(directory: Path) -> str:
    return '.'.join(directory.relative_to(ROOT).parts)


class PackageMap(SphinxDirective):
    """``.. package-map::`` lists every package with its purpose."""

    def run(self) -> list[nodes.Node]:
        lines = ['.. list-table::', '   :header-rows: 1', '   :widths: 30 70',
                 '', '   * - package', '     - purpose']
        for directory in packages():
            self.env.note_dependency(str(directory / '__init__.py'))
            lines += [f'   * - ``{name(directory)}``',
                      f'     - {summary(directory / "__init__.py")}']
        return _parsed(self, lines)


class PackageIndex(SphinxDirective):
    """``.. package-index::`` lists every module below its package."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for directory in packages():
            modules = [path for path in sorted(directory.glob('*.py'))
                       if path.stem != '__init__']
            section = nodes.section(ids=[name(directory).replace('.', '-')])
            section += nodes.title(text=name(directory))
            lines = [summary(directory / '__init__.py'), '']
            for path in modules:
                self.env.note_dependency(str(path))
                lines += [f'``{path.stem}``', f'    {summary(path)}', '']
            section += _parsed(self, lines)
            found.append(section)
        return found


def _parsed(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    holder = nodes.Element()
    directive.state.nested_parse(
        StringList(lines, source=directive.env.docname), 0, holder)
    return list(holder.children)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive('package-map', PackageMap)
    app.add_directive('package-index', PackageIndex)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
