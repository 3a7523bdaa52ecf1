# SPDX-License-Identifier: Apache-2.0
"""Draw the pictures of the architecture page from the code.

    python doc/pictures.py

writes ``doc/source/images/packages.svg``, the packages and their imports, and
``doc/source/images/request.svg``, the path of a request. Boxes and arrows come
from the import statements, ``api-paste.ini`` and ``api/dispatch.py``; only the
places of the frames are set here. A unit test compares the files with what the
code gives.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / 'doc/source/images'

#: Frames of the picture of packages: title -> (column, row, columns it spans).
FRAMES: Mapping[str, tuple[int, int, int]] = {
    'api': (0, 0, 2),
    'service.commands': (0, 1, 1),
    'service': (1, 1, 1),
    'service.process': (0, 2, 1),
    'service.storage': (1, 2, 1),
    'service.accounts': (0, 3, 1),
    'service.hosting': (1, 3, 1),
    'service.domain': (0, 4, 2),
    'foundation': (0, 5, 2),
}
#: Titles of the frames that are no package.
TITLES = {'service': 'service: what the API opens',
          'foundation': 'service: what everything may import'}
#: Modules and packages that everything may import, in one frame.
FOUNDATION = ('service.config', 'service.logs', 'service.errors',
              'service.failpoints')
#: Packages that are drawn as one box, without what is inside.
CLOSED = ('service.hosting', 'service.accounts',
          'service.storage.migrations', *FOUNDATION)

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 108, 26, 14, 30, 26
#: The room in a row for an arrow that passes it.
LANE_WIDTH = 16
TITLE_HEIGHT = 26
FRAME_GAP = 36

STYLE = '''
text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px;
       fill: #1b2733; }
.title { font-weight: bold; font-size: 13px; }
.small { font-size: 11px; fill: #51606d; }
.status { font-size: 11px; fill: #9a3412; }
.frame { fill: #f6f8fa; stroke: #b6c2cd; }
.package { fill: #dbeafe; stroke: #3b6ea5; }
.module { fill: #ffffff; stroke: #3b6ea5; }
.arrow { fill: none; stroke: #6b7c8c; stroke-width: 1; }
.between { fill: none; stroke: #1b2733; stroke-width: 1.6; }
'''


# The code as a graph

def modules() -> dict[str, Path]:
    """The dotted name and the file of every module."""
    found = {}
    for top in ('api', 'service'):
        for path in sorted((ROOT / top).rglob('*.py')):
            parts = path.relative_to(ROOT).with_suffix('').parts
            found['.'.join(parts).removesuffix('.__init__')] = path
    return found


def imports(path: Path, known: Iterable[str]) -> Iterator[str]:
    """The modules of this project that a file imports."""
    known = set(known)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        else:
            continue
        for name in names:
            if name in known:
                yield name
            elif name.rpartition('.')[0] in known:
                yield name.rpartition('.')[0]


def box_of(module: str, packages: set[str]) -> str:
    """The box that a module is drawn in: its package, or itself."""
    for closed in CLOSED:
        if f'{module}.'.startswith(f'{closed}.'):
            return closed
    if module in packages:
        return module
    parent = module.rpartition('.')[0]
    return module if parent in FRAMES else parent


def frame_of(box: str) -> str:
    """The frame that a box stands in."""
    if box in FOUNDATION:
        return 'foundation'
    if box in FRAMES:
        return box
    return next(title for title in sorted(FRAMES, key=len, reverse=True)
                if f'{box}.'.startswith(f'{title}.'))


def graph() -> dict[str, set[str]]:
    """Box -> the boxes that it imports."""
    known = modules()
    packages = {name for name, path in known.items()
                if path.name == '__init__.py'}
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        box = box_of(name, packages)
        edges.setdefault(box, set())
        for imported in imports(path, known):
            other = box_of(imported, packages)
            if other != box and imported not in ('api', 'service'):
                edges[box].add(other)
    for box in list(edges):
        # A package that holds packages is a frame; its __init__ is no box.
        if box in FRAMES and box not in CLOSED and box != 'service':
            assert not edges.pop(box), box
    return edges


def reduced(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The edges without those that a longer path implies."""
    def below(node: str, seen: set[str]) -> set[str]:
        for other in edges.get(node, ()):
            if other not in seen:
                seen.add(other)
                below(other, seen)
        return seen

    reach = {node: below(node, set()) for node in edges}
    return {node: {other for other in others
                   if not any(other in reach[via]
                              for via in others - {other})}
            for node, others in edges.items()}


def ranks(edges: Mapping[str, set[str]]) -> dict[str, int]:
    """Node -> the length of the longest path below it."""
    found: dict[str, int] = {}

    def rank(node: str) -> int:
        if node not in found:
            found[node] = max((rank(other) + 1 for other in edges[node]),
                              default=0)
        return found[node]

    for node in edges:
        rank(node)
    return found


# The picture of packages

@dataclass
class Rectangle:
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass
class Frame:
    """A frame, its boxes by rank, and the arrows between them.

    An arrow that passes ranks has a lane in each of them: a narrow place that
    no box takes (layered drawing, Sugiyama 1981).
    """

    title: str
    edges: dict[str, set[str]]
    places: dict[str, Rectangle] = field(default_factory=dict)
    arrows: list[list[str]] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def __post_init__(self) -> None:
        rank = ranks(self.edges)
        rows: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
        for box in sorted(self.edges):
            rows[rank[box]].append(box)
        for box, others in sorted(reduced(self.edges).items()):
            for other in sorted(others):
                lanes = [f'{box}>{other}@{number}' for number in range(
                    rank[box] - 1, rank[other], -1)]
                for lane in lanes:
                    rows[int(lane.rpartition('@')[2])].append(lane)
                self.arrows.append([box, *lanes, other])
        rows.reverse()
        self._sort(rows)
        self.width = max(map(_row_width, rows)) + 2 * MARGIN
        self.height = (TITLE_HEIGHT + len(rows) * (BOX_HEIGHT + GAP_Y)
                       - GAP_Y + MARGIN / 2)
        for number, row in enumerate(rows):
            self._place(row, number)

    def _sort(self, rows: list[list[str]]) -> None:
        """Order each row by the mean place of its neighbours, down and up."""
        links = [pair for arrow in self.arrows
                 for pair in zip(arrow, arrow[1:], strict=False)]
        above: dict[str, list[str]] = {}
        below: dict[str, list[str]] = {}
        for upper, lower in links:
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
        for _ in range(4):
            for number in range(1, len(rows)):
                _order(rows[number], rows[number - 1], above)
            for number in range(len(rows) - 2, -1, -1):
                _order(rows[number], rows[number + 1], below)

    def _place(self, row: list[str], number: int) -> None:
        x = (self.width - _row_width(row)) / 2
        y = TITLE_HEIGHT + number * (BOX_HEIGHT + GAP_Y)
        for name in row:
            width = _width(name)
            self.places[name] = Rectangle(x, y, width, BOX_HEIGHT)
            x += width + GAP_X

    def svg(self, at: Rectangle, packages: set[str]) -> Iterator[str]:
        yield (f'<g transform="translate({at.x:g} {at.y:g})">'
               f'<rect class="frame" width="{at.width:g}" '
               f'height="{at.height:g}" rx="6"/>'
               f'<text class="title" x="10" y="17">'
               f'{TITLES.get(self.title, self.title)}</text>')
        shift = (at.width - self.width) / 2
        yield f'<g transform="translate({shift:g} 0)">'
        for arrow in self.arrows:
            yield _arrow([self.places[name] for name in arrow])
        for name, place in self.places.items():
            if '@' not in name:
                yield _box(place, name.rpartition('.')[2], name in packages)
        yield '</g></g>'


def _width(name: str) -> float:
    return LANE_WIDTH if '@' in name else BOX_WIDTH


def _row_width(row: list[str]) -> float:
    return sum(map(_width, row)) + GAP_X * (len(row) - 1)


def _order(row: list[str], fixed: list[str],
           links: Mapping[str, list[str]]) -> None:
    """Sort a row by the mean place of its neighbours in a fixed row."""
    place = {name: (index + 0.5) / len(fixed)
             for index, name in enumerate(fixed)}
    at = {name: (index + 0.5) / len(row) for index, name in enumerate(row)}

    def mean(name: str) -> tuple[float, float, str]:
        near = [place[other] for other in links.get(name, ())
                if other in place]
        return (sum(near) / len(near) if near else at[name], at[name], name)

    row.sort(key=mean)


def _arrow(stations: list[Rectangle]) -> str:
    """A curve from the first box down to the last, through the lanes."""
    x, y = stations[0].centre, stations[0].bottom
    path = f'M{x:g} {y:g}'
    for place in stations[1:]:
        path += _curve(x, y, place.centre, place.y)
        x, y = place.centre, place.y
        if place is not stations[-1]:
            y = place.bottom
            path += f' L{x:g} {y:g}'
    return f'<path class="arrow" marker-end="url(#small)" d="{path}"/>'


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (y1 + y2) / 2
    return f' C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}'


def _box(place: Rectangle, label: str, package: bool) -> str:
    kind = 'package' if package else 'module'
    return (f'<rect class="{kind}" x="{place.x:g}" y="{place.y:g}" '
            f'width="{place.width:g}" height="{place.height:g}" rx="3"/>'
            f'<text x="{place.centre:g}" y="{place.y + 17:g}" '
            f'text-anchor="middle">{escape(label)}</text>')


def packages_svg() -> str:
    """The packages in frames, and the imports between them."""
    edges = graph()
    packages = {name for name, path in modules().items()
                if path.name == '__init__.py'}
    frames = {}
    for title in FRAMES:
        inside = {box for box in edges if frame_of(box) == title}
        frames[title] = Frame(title, {box: edges[box] & inside
                                      for box in inside})
    places = _places(frames)
    between: dict[str, set[str]] = {title: set() for title in FRAMES}
    for box, others in edges.items():
        for other in others:
            if frame_of(other) != frame_of(box):
                between[frame_of(box)].add(frame_of(other))
    width = max(place.x + place.width for place in places.values()) + 30
    height = max(place.bottom for place in places.values()) + 20
    parts = [part for title, frame in frames.items()
             for part in frame.svg(places[title], packages)]
    parts += [_between(places[title], places[other],
                       FRAMES[other][1] - FRAMES[title][1])
              for title, others in sorted(reduced(between).items())
              for other in sorted(others)]
    return _document(width, height, parts,
                     'The packages of Pileus and their imports')


def _places(frames: Mapping[str, Frame]) -> dict[str, Rectangle]:
    """Where each frame stands: a grid with rows and columns that fit."""
    columns = [max(frames[title].width for title, (column, _, span)
                   in FRAMES.items() if column == number and span == 1)
               for number in (0, 1)]
    widest = max(frame.width for frame in frames.values())
    columns[1] = max(columns[1], widest - columns[0] - FRAME_GAP)
    places, y = {}, 20.0
    for row in sorted({row for _, row, _ in FRAMES.values()}):
        titles = [title for title, at in FRAMES.items() if at[1] == row]
        height = max(frames[title].height for title in titles)
        for title in titles:
            column, _, span = FRAMES[title]
            x = 30 + column * (columns[0] + FRAME_GAP)
            width = columns[column] if span == 1 else (
                sum(columns) + FRAME_GAP)
            places[title] = Rectangle(x, y, width, height)
        y += height + FRAME_GAP
    return places


def _between(start: Rectangle, end: Rectangle, row: int) -> str:
    """An arrow from one frame down to another.

    ``row`` is the number of rows between them. An arrow to the next row goes
    straight down; a longer one goes round, outside all frames.
    """
    if row == 1:
        left = max(start.x, end.x)
        right = min(start.x + start.width, end.x + end.width)
        path = f'M{(left + right) / 2:g} {start.bottom:g} V{end.y:g}'
        if left > right:
            x1, x2 = ((start.x + start.width - 40, end.x + 40)
                      if start.x < end.x else
                      (start.x + 40, end.x + end.width - 40))
            path = f'M{x1:g} {start.bottom:g} L{x2:g} {end.y:g}'
    else:
        outside = (start.x - 12 if start.x < 60 else
                   start.x + start.width + 12)
        edge = start.x if start.x < 60 else start.x + start.width
        other = end.x if start.x < 60 else end.x + end.width
        path = (f'M{edge:g} {start.y + 40:g} H{outside:g} '
                f'V{end.y + 30:g} H{other:g}')
    return f'<path class="between" marker-end="url(#large)" d="{path}"/>'


def _document(width: float, height: float, parts: Iterable[str],
              title: str) -> str:
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'role="img">',
        f'<title>{title}</title>', f'<style>{STYLE}</style>', '<defs>',
        *(f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" '
          f'markerWidth="{size}" markerHeight="{size}" orient="auto">'
          f'<path d="M0 0 L8 4 L0 8 z" fill="{colour}"/></marker>'
          for name, size, colour in (('small', 7, '#6b7c8c'),
                                     ('large', 7, '#1b2733'))),
        '</defs>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        *parts, '</svg>', ''])


# The picture of a request

@dataclass(frozen=True)
class Step:
    """One station of a request: what happens, where, and which errors."""

    text: str
    place: str
    errors: str = ''


#: Stations before and after the application, by the module that holds each.
ARRIVAL = (
    ('accept the connection', 'service/process/server/acceptor.py'),
    ('read and check the head', 'service/process/http/head_parser.py'),
    ('wait for a slot', 'service/process/scheduling/admission.py'),
)
WORK = (
    ('controller action', 'api/controllers'),
    ('rules of records', 'service/domain/records'),
    ('one transaction', 'service/storage/rows'),
    ('record to document', 'api/response/views.py'),
)
DEPARTURE = (
    ('write the reply', 'service/process/http/reply.py'),
)


def filters() -> Iterator[Step]:
    """The filters of the shipped Paste file, in the order of the request."""
    paste = configparser.RawConfigParser(delimiters='=', strict=False)
    paste.read(ROOT / 'etc/pileus/api-paste.ini')
    *names, last = paste['pipeline:pileus']['pipeline'].split()
    assert last == 'root'
    for name in names:
        factory = paste[f'filter:{name}']['paste.filter_factory']
        yield Step(f'filter {name}', _file(factory))
    yield Step('identity: noauth, http_basic or keystone', 'api/middleware')


def _file(factory: str) -> str:
    return factory.partition(':')[0].replace('.', '/') + '.py'


def gates() -> Iterator[Step]:
    """The calls of ``api.dispatch`` that may refuse a request, in order.

    Each such call bears the statuses it may end in as a comment.
    """
    lines = (ROOT / 'api/dispatch.py').read_text().splitlines()
    for line in lines:
        match = re.fullmatch(r'\s+(?:.* = )?(?:self\.)?([\w.]+)\(.*?'
                             r'#((?: \d{3},?)+)', line)
        if match:
            yield Step(match[1].lstrip('_'), 'api/dispatch.py',
                       match[2].strip())


def steps() -> list[tuple[str, list[Step]]]:
    """The groups of stations, in the order of the request."""
    groups = [
        ('worker', [Step(*each) for each in ARRIVAL]),
        ('Paste pipeline', list(filters())),
        ('dispatch', list(gates())),
        ('action', [Step(*each) for each in WORK]),
        ('worker', [Step(*each) for each in DEPARTURE])]
    for _, group in groups:
        for step in group:
            assert (ROOT / step.place).exists(), step.place
    return groups


def request_svg() -> str:
    """The stations of a request from socket to socket, from the top down."""
    parts, y = [], 20.0
    for title, group in steps():
        height = TITLE_HEIGHT + len(group) * 24 + 8
        parts.append(f'<rect class="frame" x="20" y="{y:g}" width="680" '
                     f'height="{height:g}" rx="6"/>'
                     f'<text class="title" x="30" y="{y + 16:g}">{title}'
                     f'</text>')
        for index, step in enumerate(group):
            line = y + TITLE_HEIGHT + index * 24 + 14
            parts.append(
                f'<text x="44" y="{line:g}">{escape(step.text)}</text>'
                f'<text class="small" x="340" y="{line:g}">{step.place}'
                f'</text><text class="status" x="620" y="{line:g}">'
                f'{step.errors}</text>')
        y += height
        parts.append(f'<path class="between" marker-end="url(#large)" '
                     f'd="M360 {y:g} L360 {y + 22:g}"/>')
        y += 24
    parts.pop()
    return _document(720, y, parts, 'The path of a request')


PICTURES = {'packages.svg': packages_svg, 'request.svg': request_svg}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (IMAGES / name).write_text(draw())
        print(IMAGES.relative_to(ROOT) / name)


if __name__ == '__main__':
    main()
