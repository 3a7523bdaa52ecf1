# SPDX-License-Identifier: Apache-2.0
"""Sort orders and row comparisons as SQL of each kind of database.

* PostgreSQL sorts nulls last by default, the other databases first.
* MariaDB finds no index range for a comparison of rows.
* MariaDB sorts by a column even where IS NULL makes it constant.
* MariaDB looks up an index prefix that is compared by ``=`` and filters the
  rest, instead of reading the index range.

A statement contains one of the elements below; SQLAlchemy compiles the
element for the database.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class After(FunctionElement[bool]):
    """``(columns) > (values)``: the first half of the clauses are columns,
    the second half values."""

    inherit_cache = True
    type = sa.Boolean()
    operator_sign = '>'

    def self_group(self, against: Any = None) -> Any:
        """PERF: without this, SQLAlchemy writes ``(...) = 1`` for databases
        that have no boolean type, which uses no index."""
        return self


class Before(After):
    """``(columns) < (values)``."""

    inherit_cache = True
    operator_sign = '<'


class Same(After):
    """``column = value``, where a range of the same index may follow."""

    inherit_cache = True
    operator_sign = '='


class Ascending(FunctionElement[Any]):
    """A nullable column in ascending order, nulls first."""

    inherit_cache = True
    words = 'ASC'
    nulls = 'NULLS FIRST'


class Descending(Ascending):
    """A nullable column in descending order, nulls last."""

    inherit_cache = True
    words = 'DESC'
    nulls = 'NULLS LAST'


class AscendingNulls(Ascending):
    """A column that a condition requires to be null, in ascending order."""

    inherit_cache = True


class DescendingNulls(Descending):
    """A column that a condition requires to be null, in descending order."""

    inherit_cache = True


class Sorted(FunctionElement[Any]):
    """A column to sort by for which no index has the order."""

    inherit_cache = True


@compiles(Sorted)
def _sorted(element: Sorted, compiler: SQLCompiler, **words: Any) -> str:
    """Databases with statistics of the values choose the index themselves."""
    return compiler.process(next(iter(element.clauses)), **words)


@compiles(Sorted, 'sqlite')
def _sorted_on_sqlite(element: Sorted, compiler: SQLCompiler,
                      **words: Any) -> str:
    """PERF: SQLite would read all rows of a project in index order rather
    than sort the few that match; the unary plus keeps it from using the index
    for the order."""
    return f'+{_sorted(element, compiler, **words)}'


@compiles(Ascending)
@compiles(Descending)
@compiles(AscendingNulls)
@compiles(DescendingNulls)
def _sort(element: Ascending, compiler: SQLCompiler, **words: Any) -> str:
    """SQLite, MariaDB and MySQL sort null before every value."""
    return f'{_column(element, compiler, words)} {element.words}'


@compiles(Ascending, 'postgresql')
@compiles(Descending, 'postgresql')
@compiles(AscendingNulls, 'postgresql')
@compiles(DescendingNulls, 'postgresql')
def _sort_on_postgresql(element: Ascending, compiler: SQLCompiler,
                        **words: Any) -> str:
    """PostgreSQL recognizes the order of an index only if columns that are
    required to be null are listed as well."""
    return (f'{_column(element, compiler, words)} {element.words} '
            f'{element.nulls}')


@compiles(AscendingNulls, 'mysql', 'mariadb')
@compiles(DescendingNulls, 'mysql', 'mariadb')
def _sort_on_mysql(element: Ascending, compiler: SQLCompiler,
                   **words: Any) -> str:
    """PERF: MariaDB sorts by a column even if it is null in all rows; it does
    not sort by a constant."""
    return 'NULL'


def _column(element: Ascending, compiler: SQLCompiler,
          words: dict[str, Any]) -> str:
    return compiler.process(next(iter(element.clauses)), **words)


@compiles(After)
@compiles(Before)
@compiles(Same)
def _compare(element: After, compiler: SQLCompiler, **words: Any) -> str:
    columns, values = _halves(element)
    left, right = (', '.join(compiler.process(clause, **words)
                             for clause in side)
                   for side in (columns, values))
    return (f'({left}) {element.operator_sign} ({right})'
            if len(columns) > 1
            else f'{left} {element.operator_sign} {right}')


@compiles(After, 'mysql', 'mariadb')
@compiles(Before, 'mysql', 'mariadb')
def _compare_on_mysql(element: After, compiler: SQLCompiler,
                      **words: Any) -> str:
    """PERF: for a row comparison MariaDB reads every row; for the equivalent
    of AND and OR it reads one index range."""
    pairs = list(zip(*_halves(element), strict=True))
    column, value = pairs.pop()
    text = compiler.process(column.op(element.operator_sign)(value), **words)
    for column, value in reversed(pairs):
        beyond = compiler.process(column.op(element.operator_sign)(value),
                                  **words)
        equal = compiler.process(column == value, **words)
        text = f'({beyond} OR {equal} AND {text})'
    return text


@compiles(Same, 'mysql', 'mariadb')
def _equal_on_mysql(element: Same, compiler: SQLCompiler,
                    **words: Any) -> str:
    """PERF: with ``=`` MariaDB looks up the project ("ref") and reads all its
    rows up to the page. With two bounds it reads the index range that starts
    at the page. The column must then stay in ORDER BY.
    """
    column, lower = (compiler.process(clause, **words)
                     for clause in element.clauses)
    upper = compiler.process(list(element.clauses)[1], **words)
    return f'{column} >= {lower} AND {column} <= {upper}'


def _halves(element: After) -> tuple[list[Any], list[Any]]:
    clauses = list(element.clauses)
    middle = len(clauses) // 2
    return clauses[:middle], clauses[middle:]
