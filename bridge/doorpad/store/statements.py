"""Statements of the paths that a client waits for most: compiled once, and run on SQLite's own connection.

To build a statement, look it up among the compiled ones and make tracked objects of its rows costs an ORM 0.3 to
0.6 ms; SQLite itself needs some 10 µs. A write that takes ten statements would spend all its time there. These are
written with the same models, run in the transaction of the session that they are given, and are for SQLite alone.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import ClauseElement, ColumnElement, Select, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler

from doorpad.store.schema import Base
from doorpad.store.sqlite import Dialect

M = TypeVar("M", bound=Base)

_DIALECT = Dialect(
    json_serializer=lambda value: msgspec.json.encode(value).decode(), json_deserializer=msgspec.json.decode
)
_RAW = "raw connection"
_CHANGED = "changed_"  # before the name of a parameter that is a new value


class Statement:
    """One statement. Its parameters are the bindparam() in it, or the columns of an insert.

    Args:
        of_one_request: it has all its values in it already, of which some may be lists.
    """

    def __init__(self, statement: ClauseElement, *, of_one_request: bool = False) -> None:
        options = {"render_postcompile": of_one_request}
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs=options)
        assert isinstance(compiled, SQLCompiler)
        self._sql = str(compiled)
        fixed, processors = compiled.params, compiled._bind_processors
        self._parameters: list[tuple[str, Any, Any]] = [
            (name, fixed.get(name), processors.get(name)) for name in compiled.positiontup or ()
        ]

    def run(self, session: AsyncSession, values: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run it in the transaction of the session; a parameter that is left out is NULL."""
        raw: sqlite3.Connection = session.info[_RAW]
        given = []
        for name, fixed, process in self._parameters:
            value = values.get(name, fixed)
            given.append(value if process is None else process(value))
        return raw.execute(self._sql, given)


class Query(Generic[M]):
    """A select of whole rows of one model. They are for looking at: to set their attributes raises."""

    def __init__(
        self,
        model: type[M],
        *conditions: ColumnElement[bool],
        order_by: Sequence[InstrumentedAttribute[Any]] = (),
    ) -> None:
        self._statement = Statement(select(model).where(*conditions).order_by(*order_by))
        self._object = _maker(model)

    def all(self, session: AsyncSession, **values: Any) -> list[M]:
        return [self._object(row) for row in self._statement.run(session, values)]

    def first(self, session: AsyncSession, **values: Any) -> M | None:
        row = self._statement.run(session, values).fetchone()
        return None if row is None else self._object(row)


def seen(session: AsyncSession, model: type[M], statement: Select[Any]) -> list[M]:
    """The rows of a select that is made for one request, as those of a Query."""
    return [_maker(model)(row) for row in Statement(statement, of_one_request=True).run(session, {})]


class _Row(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What stands for an object of a model: its columns, and nothing that would track changes of them.

    To read an attribute of an ORM's object costs several times as much as that of any other.
    """


@cache
def _shape(model: type[Base]) -> type[_Row]:
    """The class of the model's rows. Its fields are the columns, in their order, None where left out."""
    table = model.__table__
    fields = [(column.key, Any, None) for column in table.columns]
    shape = msgspec.defstruct(
        model.__name__, fields, bases=(_Row,), namespace={"__table__": table}, frozen=True, eq=False, gc=False
    )
    return cast(type[_Row], shape)


@cache
def _maker(model: type[M]) -> Callable[[Sequence[Any]], M]:
    """What makes an object of a row."""
    shape = _shape(model)
    processors = (
        column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
        for column in model.__table__.columns
    )
    processed = [(at, process) for at, process in enumerate(processors) if process is not None]

    def make(row: Sequence[Any]) -> M:
        shown = list(row)
        for at, process in processed:
            shown[at] = process(shown[at])
        return cast(M, shape(*shown))

    return make


class NewRow(Generic[M]):
    """An insert of one row.

    Args:
        once: the column by which a row that is there already is recognised; it is then left as it is.
        gives: the column of which the value is told.
    """

    def __init__(
        self,
        model: type[M],
        *,
        once: InstrumentedAttribute[Any] | None = None,
        gives: InstrumentedAttribute[Any] | None = None,
    ) -> None:
        self._model = model
        columns = [
            column.key
            for column in model.__table__.columns
            if gives is None or column is not gives.expression
        ]
        if once is None:
            statement: Any = insert(model)
        else:
            statement = sqlite_insert(model).on_conflict_do_nothing(index_elements=[once])
        statement = statement.values(dict.fromkeys(columns, None))
        self._statement = Statement(statement if gives is None else statement.returning(gives))

    def add(self, session: AsyncSession, row: Mapping[str, Any]) -> Any:
        """Insert the row; columns that it does not name are NULL.

        Returns:
            The value asked for, None if there is none or the row was there already.
        """
        added = self._statement.run(session, row).fetchone()
        return None if added is None else added[0]

    def made(self, session: AsyncSession, **values: Any) -> M:
        """Insert the row, and return an object for it: to look at, as those of a Query."""
        self._statement.run(session, values)
        return cast(M, _shape(self._model)(**values))


def change(session: AsyncSession, row: Base, **values: Any) -> None:
    """Write these columns of a row, and show them in its object. Nothing is done if there are none."""
    if values:
        table = row.__table__
        key = {column.key: getattr(row, column.key) for column in table.primary_key}
        renamed = {_CHANGED + name: value for name, value in values.items()}
        _change(table, tuple(values)).run(session, key | renamed)
        for name, value in values.items():
            msgspec.structs.force_setattr(cast(_Row, row), name, value)


@cache
def _change(table: Any, names: tuple[str, ...]) -> Statement:
    statement = update(table).where(*(column == bindparam(column.key) for column in table.primary_key))
    types = {name: table.columns[name].type for name in names}
    return Statement(
        statement.values({name: bindparam(_CHANGED + name, type_=type_) for name, type_ in types.items()})
    )


@contextlib.contextmanager
def one_view(session: AsyncSession) -> Iterator[None]:
    """The statements of the block see the same commit. It may not wait for anything."""
    raw: sqlite3.Connection = session.info[_RAW]
    if raw.in_transaction:
        yield
        return
    raw.execute("BEGIN")
    try:
        yield
    finally:
        raw.execute("COMMIT")


def use(session: AsyncSession, raw: sqlite3.Connection) -> None:
    """Let the statements of a session run on this connection. A session that writes is in its transaction."""
    session.info[_RAW] = raw
