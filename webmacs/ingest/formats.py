"""Bulk bodies: NDJSON, Arrow IPC and Parquet, each turned into readings."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from webmacs.core.errors import Invalid, Unavailable
from webmacs.features.datapoints.schemas import FIRST, LAST, stamps

CHUNK, CHUNK_ROWS = 1 << 20, 10_000  # bytes of NDJSON, rows of a table at a time
MISFIT = (msgspec.MsgspecError, ValueError, RecursionError)


@dataclass
class Chunk:
    """A part of a body, column by column: public ids, values, microseconds since 1970 UTC or None for our clock.

    `places` are those in the body; `reasons`, by place, say what was not taken.
    """

    names: Sequence[str]
    values: Sequence[float]
    moments: Sequence[int | None]
    places: Sequence[int]
    reasons: dict[int, str] = field(default_factory=dict)


Parse = Callable[[BinaryIO], Iterator[Chunk]]


class Line(msgspec.Struct, gc=False):
    """One line of NDJSON."""

    event_public_id: str
    value: float
    timestamp: int | float | str | None = None


def ndjson(body: BinaryIO) -> Iterator[Chunk]:
    """One JSON object on each line; blank lines count for nothing."""
    decoder = msgspec.json.Decoder(Line)
    first = 0
    while texts := body.readlines(CHUNK):
        try:
            lines = decoder.decode_lines(b"".join(texts))
            moments = stamps([line.timestamp for line in lines])
        except MISFIT:
            lines, moments = [], []
        if len(lines) == len(texts):
            names, values = [line.event_public_id for line in lines], [line.value for line in lines]
            yield Chunk(names, values, moments, range(first, first + len(texts)))
        else:
            yield _line_by_line(decoder, texts, first)
        first += len(texts)


def _line_by_line(decoder: "msgspec.json.Decoder[Line]", texts: Sequence[bytes], first: int) -> Chunk:
    found: list[tuple[str, float, int | None, int]] = []
    reasons: dict[int, str] = {}
    for place, text in enumerate(texts, first):
        try:
            if not text.isspace():
                line = decoder.decode(text)
                found.append((line.event_public_id, line.value, stamps([line.timestamp])[0], place))
        except MISFIT as wrong:
            reasons[place] = f"the line does not fit: {wrong}"
    return _chunk_of(found, reasons)


def _chunk_of(found: Sequence[tuple[str, float, int | None, int]], reasons: dict[int, str]) -> Chunk:
    """A chunk of (public id, value, moment, place)."""
    names, values, moments, places = zip(*found, strict=True) if found else ((), (), (), ())
    return Chunk(names, values, moments, places, reasons)


def arrow(body: BinaryIO) -> Iterator[Chunk]:
    """An Arrow IPC stream or file with the columns event_public_id, value and (optional) timestamp."""
    ipc = _pyarrow("pyarrow.ipc")
    start = body.read(6)
    body.seek(0)
    if start == b"ARROW1":
        reader = _opened(lambda: ipc.open_file(body))
        yield from _batches(reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        yield from _batches(_opened(lambda: ipc.open_stream(body)))


def parquet(body: BinaryIO) -> Iterator[Chunk]:
    """A Parquet file with the same columns."""
    reader = _opened(lambda: _pyarrow("pyarrow.parquet").ParquetFile(body))
    yield from _batches(reader.iter_batches(batch_size=65_536))


def _batches(batches: Iterable[Any]) -> Iterator[Chunk]:
    lib = _pyarrow("pyarrow.lib")
    first = 0
    try:
        for batch in batches:
            for begin in range(0, batch.num_rows, CHUNK_ROWS):
                part = batch.slice(begin, CHUNK_ROWS)
                yield _chunk(part, first)
                first += part.num_rows
    except (lib.ArrowException, OSError) as wrong:
        raise Invalid({"": f"The file cannot be read: {wrong}"}) from None


def _chunk(batch: Any, first: int) -> Chunk:
    """The values of one record batch; columns are converted whole."""
    names, values = _names(_column(batch, "event_public_id", "string")), _numbers(_column(batch, "value", "float64"))
    moments: list[Any] = [None] * batch.num_rows
    if "timestamp" in batch.schema.names:
        moments = _numbers(_moments(batch))
    places = range(first, first + len(names))
    if _is_doubtful(names, values, moments):
        rows = list(zip(names, values, moments, places, strict=True))
        reasons = {row[3]: why for row in rows if (why := _misfit(*row[:3])) is not None}
        return _chunk_of([row for row in rows if row[3] not in reasons], reasons)
    return Chunk(names, values, moments, places)


def _is_doubtful(names: list[str | None], values: list[float | None], moments: list[int | None]) -> bool:
    """Whether some item may be a misfit; columns are looked at whole."""
    known = [ts for ts in moments if ts is not None]
    return None in names or None in values or (bool(known) and not FIRST <= min(known) <= max(known) < LAST)


def _misfit(name: str | None, value: float | None, ts: int | None) -> str | None:
    if name is None or value is None:
        return "event_public_id and value must not be null"
    if ts is not None and not FIRST <= ts < LAST:
        return "timestamp must lie between 1970 and 2200"
    return None


def _moments(batch: Any) -> Any:
    """Microseconds since 1970: of a timestamp column (UTC unless it names a zone), or of whole microseconds."""
    types = _pyarrow("pyarrow.types")
    column = batch.column("timestamp")
    if not types.is_timestamp(column.type) and not types.is_integer(column.type):
        raise Invalid({"timestamp": "must be a timestamp column, or whole microseconds since 1970"})
    if types.is_timestamp(column.type):
        column = column.cast(_pyarrow("pyarrow").timestamp("us"), safe=False)
    return column.cast("int64")


def _column(batch: Any, name: str, kind: str) -> Any:
    if name not in batch.schema.names:
        raise Invalid({name: f"The column is missing; there are {', '.join(batch.schema.names) or 'none'}."})
    try:
        column = batch.column(name)
        if kind == "string" and _pyarrow("pyarrow.types").is_dictionary(column.type):
            column.dictionary.cast(kind)  # whether it can be
            return column
        return column.cast(kind)
    except _pyarrow("pyarrow.lib").ArrowException as wrong:
        raise Invalid({name: f"must be {kind}: {wrong}"}) from None


def _names(column: Any) -> list[Any]:
    """Texts of a column; the same text is one object, however often it comes."""
    if column.null_count or not len(column):
        names: list[Any] = column.to_pylist()
        return names
    if not _pyarrow("pyarrow.types").is_dictionary(column.type):
        column = column.dictionary_encode()
    known = column.dictionary.cast("string").to_pylist()
    return [known[place] for place in _numbers(column.indices.cast("int64"))]


def _numbers(column: Any) -> list[Any]:
    """Numbers of a column of eight bytes each: straight from its memory: `to_pylist` makes one more object of each."""
    if column.null_count or not len(column):
        numbers: list[Any] = column.to_pylist()
        return numbers
    cells = memoryview(column.buffers()[1]).cast("B")[8 * column.offset : 8 * (column.offset + len(column))]
    return (cells.cast("d") if _pyarrow("pyarrow.types").is_floating(column.type) else cells.cast("q")).tolist()


def _opened(make: Callable[[], Any]) -> Any:
    lib = _pyarrow("pyarrow.lib")
    try:
        return make()
    except (lib.ArrowException, OSError) as wrong:
        raise Invalid({"": f"The file cannot be read: {wrong}"}) from None


def _pyarrow(name: str) -> Any:
    """A module of pyarrow, loaded when the first such body comes: it weighs more than everything else together."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Unavailable("Arrow and Parquet are not available on this machine; send NDJSON.") from None


PARSERS: Mapping[str, Parse] = {
    "application/x-ndjson": ndjson,
    "application/vnd.apache.arrow.stream": arrow,
    "application/vnd.apache.arrow.file": arrow,
    "application/vnd.apache.parquet": parquet,
}
