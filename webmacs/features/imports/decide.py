"""Pure choices about files of values: what a row means."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from webmacs.core import clock
from webmacs.features.datapoints.schemas import FIRST, LAST
from webmacs.features.imports.schemas import Mapping as Meaning
from webmacs.features.imports.schemas import zone

FACTORS = {"s": 1_000_000, "ms": 1_000, "us": 1}

NO_TIME = "the time is missing"
NOT_A_TIME = "the time cannot be read"
FAR_TIME = "the time does not lie between 1970 and 2200"
NO_VALUE = "the value is missing"
NOT_A_VALUE = "the value is not a number"
SHORT = "the row is shorter than the header"


class UnreadableError(Exception):
    """A row or a file cannot be read so; the message says why, for the user."""


class Found(NamedTuple):
    """One value of a row: the channel's public id (or what stands in its place), microseconds, value."""

    channel: str
    ts: int
    value: float


class Reader:
    """Reads rows by a mapping. `names`: what may stand in the channel column → public id."""

    def __init__(self, meaning: Meaning, header: Sequence[str], names: Mapping[str, str]) -> None:
        self._stamp_format = meaning.timestamp_format
        self._zone = zone(meaning.timezone)
        self._comma = meaning.decimal == ","
        self._names = {**names, **meaning.channels}
        self._fixed = meaning.event_public_id
        self._stamp_at = _place(header, meaning.timestamp_column)
        self._channel_at = _place(header, meaning.channel_column) if meaning.channel_column else None
        self._cells: list[tuple[int, str | None]]
        if meaning.shape == "wide":
            self._cells = [(_place(header, column), event) for column, event in meaning.columns.items()]
        else:
            self._cells = [(_place(header, meaning.value_column or ""), None)]
        self._is_wide = meaning.shape == "wide"
        self._width = 1 + max(self._stamp_at, self._channel_at or 0, *(at for at, _ in self._cells))

    def read(self, row: Sequence[Any]) -> Iterator[Found | str]:
        """The values of a row, or why one cannot be read; an empty cell of a wide file is no value and no problem."""
        if len(row) < self._width:
            yield SHORT
            return
        try:
            ts = self._moment(row[self._stamp_at])
        except UnreadableError as unreadable:
            yield str(unreadable)
            return
        for at, event in self._cells:
            cell = row[at]
            if self._is_wide and (cell is None or cell == ""):
                continue
            try:
                yield Found(event or self._channel(row), ts, self._number(cell))
            except UnreadableError as unreadable:
                yield str(unreadable)

    def _channel(self, row: Sequence[Any]) -> str:
        if self._channel_at is None:
            return self._fixed or ""
        named = str(row[self._channel_at])
        return self._names.get(named, named)

    def _moment(self, cell: Any) -> int:
        if cell is None or cell == "":
            raise UnreadableError(NO_TIME)
        try:
            ts = self._micros(cell)
        except (ValueError, OverflowError):
            raise UnreadableError(NOT_A_TIME) from None
        if not FIRST <= ts < LAST:
            raise UnreadableError(FAR_TIME)
        return ts

    def _micros(self, cell: Any) -> int:
        if isinstance(cell, str) and self._stamp_format != "iso":
            cell = cell.strip()
            if "_" in cell:
                raise ValueError("int() takes underscores")
            cell = (
                int(cell) if cell.lstrip("+-").isdecimal() else float(cell.replace(",", ".") if self._comma else cell)
            )
        if isinstance(cell, bool) or not isinstance(cell, str | int | float | datetime):
            raise ValueError("no time")  # noqa: TRY004 - its caller catches ValueError
        if isinstance(cell, int | float):
            return round(cell * FACTORS.get(self._stamp_format, 1_000_000))
        moment = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else cell
        return clock.to_micros(moment if moment.tzinfo else moment.replace(tzinfo=self._zone))

    def _number(self, cell: Any) -> float:
        if cell is None or cell == "":
            raise UnreadableError(NO_VALUE)
        if isinstance(cell, str):
            cell = cell.strip().replace(",", ".") if self._comma else cell
            if "_" in cell:  # float() takes it
                raise UnreadableError(NOT_A_VALUE)
        try:
            return float(cell)
        except (ValueError, TypeError, OverflowError):
            raise UnreadableError(NOT_A_VALUE) from None


def _place(header: Sequence[str], column: str) -> int:
    count = header.count(column)
    if count != 1:
        raise UnreadableError(
            f"The file has no column “{column}”." if count == 0 else f"The file has {count} columns “{column}”."
        )
    return header.index(column)


def guess(header: Sequence[str], names: Mapping[str, str], delimiter: str) -> dict[str, Any]:
    """A first idea of a mapping, to be looked at by a person: by the names of the columns."""
    lower = {column.strip().lower(): column for column in reversed(header)}
    stamp = next((lower[word] for word in ("timestamp", "time", "datetime", "date", "ts") if word in lower), None)
    value = next((lower[word] for word in ("value", "values", "reading") if word in lower), None)
    by = next(
        (lower[w] for w in ("event_public_id", "channel", "event", "sensor", "event_name", "name") if w in lower), None
    )
    wide = {column: names[column] for column in header if column in names}
    shape = "wide" if wide and value is None else "long"
    return {
        "shape": shape,
        "timestamp_column": stamp or (header[0] if header else None),
        "value_column": value,
        "channel_column": by,
        "columns": wide,
        "delimiter": delimiter,
        "decimal": "," if delimiter == ";" else ".",
        "timestamp_format": "iso",
        "timezone": "UTC",
    }
