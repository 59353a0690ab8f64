"""Bulk bodies: NDJSON, Arrow IPC and Parquet, each turned into readings."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from webmacs.core.errors import Invalid, Unavailable
from webmacs.features.datapoints.admit import Given
from webmacs.features.datapoints.schemas import FIRST, LAST, stamp

CHUNK, CHUNK_ROWS = 1 << 20, 10_000  # bytes of NDJSON, rows of a table at a time
MISFIT = (msgspec.MsgspecError, ValueError, RecursionError)


@dataclass
class Chunk:
    """A part of a body: the readings, the place in the body of each, and place → reason of what is none."""

    readings: list[Given]
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
            readings = [_reading(line) for line in decoder.decode_lines(b"".join(texts))]
        except MISFIT:
            readings = []
        if len(readings) == len(texts):
            yield Chunk(readings, range(first, first + len(texts)))
        else:
            yield _line_by_line(decoder, texts, first)
        first += len(texts)


def _line_by_line(decoder: "msgspec.json.Decoder[Line]", texts: Sequence[bytes], first: int) -> Chunk:
    readings: dict[int, Given] = {}
    reasons: dict[int, str] = {}
    for place, text in enumerate(texts, first):
        try:
            if not text.isspace():
                readings[place] = _reading(decoder.decode(text))
        except MISFIT as wrong:
            reasons[place] = f"the line does not fit: {wrong}"
    return Chunk(list(readings.values()), list(readings), reasons)


def _reading(line: Line) -> Given:
    return line.event_public_id, line.value, None if line.timestamp is None else stamp(line.timestamp)


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
    """The readings of one record batch; columns are converted whole."""
    names, values = _column(batch, "event_public_id", "string"), _column(batch, "value", "float64")
    moments: list[int | None] = [None] * batch.num_rows
    if "timestamp" in batch.schema.names:
        moments = _moments(batch)
    readings: list[Given] = list(zip(names, values, moments, strict=True))
    places = range(first, first + len(readings))
    if _is_doubtful(names, values, moments):
        named = zip(places, readings, strict=True)
        reasons = {place: why for place, item in named if (why := _misfit(*item)) is not None}
        kept = [(item, place) for item, place in zip(readings, places, strict=True) if place not in reasons]
        return Chunk([item for item, _ in kept], [place for _, place in kept], reasons)
    return Chunk(readings, places)


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


def _moments(batch: Any) -> list[int | None]:
    """Microseconds since 1970: of a timestamp column (UTC unless it names a zone), or of whole microseconds."""
    types = _pyarrow("pyarrow.types")
    column = batch.column("timestamp")
    if not types.is_timestamp(column.type) and not types.is_integer(column.type):
        raise Invalid({"timestamp": "must be a timestamp column, or whole microseconds since 1970"})
    if types.is_timestamp(column.type):
        column = column.cast(_pyarrow("pyarrow").timestamp("us"), safe=False)
    moments: list[int | None] = column.cast("int64").to_pylist()
    return moments


def _column(batch: Any, name: str, kind: str) -> list[Any]:
    if name not in batch.schema.names:
        raise Invalid({name: f"The column is missing; there are {', '.join(batch.schema.names) or 'none'}."})
    try:
        values: list[Any] = batch.column(name).cast(kind).to_pylist()
    except _pyarrow("pyarrow.lib").ArrowException as wrong:
        raise Invalid({name: f"must be {kind}: {wrong}"}) from None
    return values


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
