"""Recorded values as Parquet. pyarrow is large and not there on every machine: it is imported when it is needed."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

GROUP_ROWS = 131_072  # rows that are held and then written as one group
MISSING = "This installation has no pyarrow, which Parquet needs. Choose another format."

Add = Callable[[Sequence[int], Sequence[int], Sequence[float]], None]


class MissingError(Exception):
    """pyarrow is not installed; the message is a sentence for the user."""


class Channel(NamedTuple):
    """What a file says about a channel."""

    public_id: str
    name: str
    unit: str


def arrow() -> tuple[ModuleType, ModuleType]:
    """pyarrow and pyarrow.parquet. Raises `MissingError`."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingError(MISSING) from None


@contextmanager
def writer(sink: Any, channels: Mapping[int, Channel]) -> Iterator[Add]:
    """Write rows (event ids, microseconds since 1970 UTC, values) to a binary file.

    Columns: timestamp (microseconds, UTC), event_public_id, event_name and unit (dictionaries), value (double).
    """
    pa, pq = arrow()
    order = {event_id: index for index, event_id in enumerate(channels)}
    texts = [pa.array([channel[i] for channel in channels.values()], pa.string()) for i in range(3)]
    names = ("timestamp", "event_public_id", "event_name", "value", "unit")
    word = pa.dictionary(pa.int32(), pa.string())
    kinds = (pa.timestamp("us", tz="UTC"), word, word, pa.float64(), word)
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    held_ids, held_times, held_values = array("i"), array("q"), array("d")

    with pq.ParquetWriter(sink, schema, compression="zstd") as file:

        def write_group() -> None:
            places = pa.array(held_ids, pa.int32())
            public_id, name, unit = (pa.DictionaryArray.from_arrays(places, text) for text in texts)
            times = pa.array(held_times, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
            columns = [times, public_id, name, pa.array(held_values, pa.float64()), unit]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
            for held in (held_ids, held_times, held_values):
                del held[:]

        def add(event_ids: Sequence[int], times: Sequence[int], values: Sequence[float]) -> None:
            held_ids.extend(map(order.__getitem__, event_ids))
            held_times.extend(times)
            held_values.extend(values)
            if len(held_times) >= GROUP_ROWS:
                write_group()

        yield add
        if held_times:
            write_group()
