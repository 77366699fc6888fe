"""SQL that is built once by SQLAlchemy Core and run many times by the driver.

Building or looking up a statement for each call costs more than running it; so a
`Statement` compiles once a dialect to text with positional parameters.

https://docs.sqlalchemy.org/en/21/core/compiler.html
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeVar

from sqlalchemy import bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

DialectName = Literal["sqlite", "postgresql"]

Scalar = TypeVar("Scalar", int, str)

_DIALECTS: Mapping[DialectName, Callable[[], Dialect]] = {
    "sqlite": lambda: sqlite.dialect(paramstyle="qmark"),
    "postgresql": lambda: psycopg_dialect.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
}


@lru_cache(maxsize=2)
def _dialect(name: DialectName) -> Dialect:
    return _DIALECTS[name]()


def array(values: Iterable[Scalar], dialect: DialectName) -> str | list[Scalar]:
    """Return `values` in the form in which the driver takes an array parameter."""
    if dialect == "sqlite":
        return json.dumps(list(values), separators=(",", ":"))
    return list(values)


class _Compiled(NamedTuple):
    """What a dialect makes of a statement.

    Attributes:
        text: The SQL, with the driver's positional placeholders.
        names: Of the parameters, in their order.
        constants: Values of parameters that nobody gives.
        take: Returns the values in their order, where all of them are given.

    """

    text: str
    names: tuple[str, ...]
    constants: dict[str, Any]
    take: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None


def _taker(
    names: tuple[str, ...],
) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what takes these values out of a mapping; a loop takes twice as long."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


class Statement:
    """One SQL statement, compiled once for each dialect."""

    __slots__ = ("_compiled", "construct")

    def __init__(self, construct: ClauseElement) -> None:
        self.construct = construct
        self._compiled: dict[str, _Compiled] = {}

    def _for(self, dialect: DialectName) -> "_Compiled":
        compiled = self._compiled.get(dialect)
        if compiled is None:
            result = self.construct.compile(dialect=_dialect(dialect))
            assert isinstance(result, SQLCompiler)  # noqa: S101 - narrows for mypy
            names = tuple(result.positiontup or ())
            constants = dict(result.params)
            given = {name for name in names if constants[name] is None}
            take = _taker(names) if given.issuperset(names) else None
            compiled = _Compiled(str(result), names, constants, take)
            self._compiled[dialect] = compiled
        return compiled

    def text(self, dialect: DialectName) -> str:
        """Return the SQL text with the driver's positional placeholders."""
        return self._for(dialect).text

    def bind(
        self, dialect: DialectName, values: Mapping[str, Any]
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the text and `values` in the order of its placeholders."""
        sql, names, constants, take = self._compiled.get(dialect) or self._for(dialect)
        if take is not None and len(values) >= len(names):
            return sql, take(values)
        return sql, tuple(
            values[name] if name in values else constants[name] for name in names
        )

    def rows(
        self, dialect: DialectName, values: Iterable[Mapping[str, Any]]
    ) -> tuple[str, list[tuple[Any, ...]]]:
        """Return the text and one tuple for each of `values`."""
        sql, names, constants, _ = self._for(dialect)
        return sql, [
            tuple(row[name] if name in row else constants[name] for name in names)
            for row in values
        ]


def columns_of(names: Sequence[str]) -> dict[str, Any]:
    """Return bind parameters of the same names, for `insert().values()`."""
    return {name: bindparam(name) for name in names}


__all__ = ["DialectName", "Statement", "array", "columns_of"]
