# SPDX-License-Identifier: Apache-2.0
"""Orders and row comparisons, spelt as each database understands them.

PostgreSQL puts nulls last unless told. MariaDB compares rows of values but
finds no index range in it, sorts by what IS NULL has fixed already, and
where it can look a prefix up it does not read the range behind. A statement
holds one of the elements below; the compiler picks its words.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class After(FunctionElement[bool]):
    """As many columns as values: the columns' row is above the values'."""

    inherit_cache = True
    type = sa.Boolean()
    sign = '>'

    def self_group(self, against: Any = None) -> Any:
        """PERF: itself; SQLAlchemy would write ``(...) = 1`` around it where
        there is no native boolean, and no index serves that."""
        return self


class Before(After):
    inherit_cache = True
    sign = '<'


class Same(After):
    """A column equals a value, and a range of an index may follow."""

    inherit_cache = True
    sign = '='


class Ascending(FunctionElement[Any]):
    """A nullable column, nulls first."""

    inherit_cache = True
    words = 'ASC'
    nulls = 'NULLS FIRST'


class Descending(Ascending):
    """A nullable column, nulls last."""

    inherit_cache = True
    words = 'DESC'
    nulls = 'NULLS LAST'


class AscendingNulls(Ascending):
    """A column that a condition says is null."""

    inherit_cache = True


class DescendingNulls(Descending):
    inherit_cache = True


class Sorted(FunctionElement[Any]):
    """A column to sort by, off no index."""

    inherit_cache = True


@compiles(Sorted)
def _sorted(element: Sorted, compiler: SQLCompiler, **words: Any) -> str:
    """Who counts the rows that have a value may choose."""
    return compiler.process(next(iter(element.clauses)), **words)


@compiles(Sorted, 'sqlite')
def _sorted_on_sqlite(element: Sorted, compiler: SQLCompiler,
                      **words: Any) -> str:
    """PERF: SQLite rather reads all rows of a project in their order than
    sorts the few that have what is looked for; by its sign it sees no order.
    """
    return f'+{_sorted(element, compiler, **words)}'


@compiles(Ascending)
@compiles(Descending)
@compiles(AscendingNulls)
@compiles(DescendingNulls)
def _turn(element: Ascending, compiler: SQLCompiler, **words: Any) -> str:
    """SQLite, MariaDB and MySQL take null for the least value there is."""
    return f'{_only(element, compiler, words)} {element.words}'


@compiles(Ascending, 'postgresql')
@compiles(Descending, 'postgresql')
@compiles(AscendingNulls, 'postgresql')
@compiles(DescendingNulls, 'postgresql')
def _turn_on_postgresql(element: Ascending, compiler: SQLCompiler,
                        **words: Any) -> str:
    """PostgreSQL needs also what IS NULL fixed to see the index's order."""
    return (f'{_only(element, compiler, words)} {element.words} '
            f'{element.nulls}')


@compiles(AscendingNulls, 'mysql', 'mariadb')
@compiles(DescendingNulls, 'mysql', 'mariadb')
def _turn_on_mysql(element: Ascending, compiler: SQLCompiler,
                   **words: Any) -> str:
    """PERF: MariaDB sorts by a column that IS NULL, and not by a constant."""
    return 'NULL'


def _only(element: Ascending, compiler: SQLCompiler,
          words: dict[str, Any]) -> str:
    return compiler.process(next(iter(element.clauses)), **words)


@compiles(After)
@compiles(Before)
@compiles(Same)
def _compare(element: After, compiler: SQLCompiler, **words: Any) -> str:
    columns, values = _halves(element)
    left, right = (', '.join(compiler.process(one, **words) for one in side)
                   for side in (columns, values))
    return (f'({left}) {element.sign} ({right})' if len(columns) > 1
            else f'{left} {element.sign} {right}')


@compiles(After, 'mysql', 'mariadb')
@compiles(Before, 'mysql', 'mariadb')
def _compare_on_mysql(element: After, compiler: SQLCompiler,
                      **words: Any) -> str:
    """PERF: spelt out, MariaDB reads one range; compared as rows, all."""
    pairs = list(zip(*_halves(element), strict=True))
    column, value = pairs.pop()
    text = compiler.process(column.op(element.sign)(value), **words)
    for column, value in reversed(pairs):
        beyond = compiler.process(column.op(element.sign)(value), **words)
        equal = compiler.process(column == value, **words)
        text = f'({beyond} OR {equal} AND {text})'
    return text


@compiles(Same, 'mysql', 'mariadb')
def _equal_on_mysql(element: Same, compiler: SQLCompiler,
                    **words: Any) -> str:
    """PERF: told of equality, MariaDB reads all of a project up to the page.

    It looks the project up ("ref") and filters; by two bounds it reads the
    range that begins at the page. What is so bounded stays in ORDER BY.
    """
    column, value = (compiler.process(one, **words)
                     for one in element.clauses)
    again = compiler.process(list(element.clauses)[1], **words)
    return f'{column} >= {value} AND {column} <= {again}'


def _halves(element: After) -> tuple[list[Any], list[Any]]:
    clauses = list(element.clauses)
    middle = len(clauses) // 2
    return clauses[:middle], clauses[middle:]
