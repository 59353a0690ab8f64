"""Bulk bodies: NDJSON, Arrow IPC and Parquet, each turned into readings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from webmacs.core.errors import Invalid, Unavailable
from webmacs.features.datapoints.admit import Reading
from webmacs.features.datapoints.schemas import FIRST, LAST, stamp

CHUNK = 1 << 20  # bytes of NDJSON at a time
MISFIT = (msgspec.MsgspecError, ValueError, RecursionError)

Items = Iterator[Reading | str]  # a reading, or why it is none
Parse = Callable[[BinaryIO], Items]


class Line(msgspec.Struct, gc=False):
    """One line of NDJSON."""

    event_public_id: str
    value: float
    timestamp: int | float | str | None = None


def ndjson(body: BinaryIO) -> Items:
    """One JSON object on each line; blank lines count for nothing."""
    decoder = msgspec.json.Decoder(Line)
    while texts := body.readlines(CHUNK):
        try:
            yield from [_reading(line) for line in decoder.decode_lines(b"".join(texts))]
        except MISFIT:
            yield from _line_by_line(decoder, texts)


def _line_by_line(decoder: "msgspec.json.Decoder[Line]", texts: Iterable[bytes]) -> Items:
    for text in texts:
        try:
            if not text.isspace():
                yield _reading(decoder.decode(text))
        except MISFIT as wrong:
            yield f"the line does not fit: {wrong}"


def _reading(line: Line) -> Reading:
    return Reading(line.event_public_id, line.value, None if line.timestamp is None else stamp(line.timestamp))


def arrow(body: BinaryIO) -> Items:
    """An Arrow IPC stream or file with the columns event_public_id, value and (optional) timestamp."""
    ipc = _pyarrow("pyarrow.ipc")
    start = body.read(6)
    body.seek(0)
    if start == b"ARROW1":
        reader = _opened(lambda: ipc.open_file(body))
        yield from _batches(reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        yield from _batches(_opened(lambda: ipc.open_stream(body)))


def parquet(body: BinaryIO) -> Items:
    """A Parquet file with the same columns."""
    reader = _opened(lambda: _pyarrow("pyarrow.parquet").ParquetFile(body))
    yield from _batches(reader.iter_batches(batch_size=65_536))


def _batches(batches: Iterable[Any]) -> Items:
    lib = _pyarrow("pyarrow.lib")
    try:
        for batch in batches:
            yield from _rows(batch)
    except (lib.ArrowException, OSError) as wrong:
        raise Invalid({"": f"The file cannot be read: {wrong}"}) from None


def _rows(batch: Any) -> Items:
    """The readings of one record batch; columns are converted whole."""
    names, values = _column(batch, "event_public_id", "string"), _column(batch, "value", "float64")
    moments = _moments(batch) if "timestamp" in batch.schema.names else [None] * batch.num_rows
    for name, value, ts in zip(names, values, moments, strict=True):
        if name is None or value is None:
            yield "event_public_id and value must not be null"
        elif ts is not None and not FIRST <= ts < LAST:
            yield "timestamp must lie between 1970 and 2200"
        else:
            yield Reading(name, value, ts)


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
    import importlib

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
