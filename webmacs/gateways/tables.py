"""Files of rows that somebody brings: CSV and Parquet, read a little at a time."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from webmacs.gateways import parquet

SNIFFED = 16_384  # bytes that the delimiter is guessed from
BATCH = 2_000
LONGEST_CELL = 131_072
BROKEN_ROW = "the row cannot be read as CSV"

Line = tuple[int, list[Any] | None]  # its number in the file (the header is 1), its cells; None: cannot be read


class BrokenFileError(Exception):
    """The file is not what it seems to be; the message is a sentence for the user."""


class Table(NamedTuple):
    """An open file: its columns, its rows, and how many there are (estimated for CSV while it is being read)."""

    header: list[str]
    lines: Iterator[Line]
    total: Any  # () -> int | None


def kind_of(path: Path) -> str:
    """`parquet` or `csv`, by the first bytes."""
    with path.open("rb") as file:
        return "parquet" if file.read(4) == b"PAR1" else "csv"


def delimiter_of(path: Path) -> str:
    """The delimiter that the header of a CSV file has most of."""
    with path.open("rb") as file:
        first = file.read(SNIFFED).split(b"\n", 1)[0].decode("utf-8", "replace")
    return max((",", ";", "\t"), key=first.count)


@contextmanager
def opened(path: Path, kind: str, delimiter: str) -> Iterator[Table]:
    """Open a file. Raises `BrokenFileError` and `parquet.MissingError`."""
    if kind == "parquet":
        yield from _parquet(path)
    else:
        yield from _csv(path, delimiter)


def _csv(path: Path, delimiter: str) -> Iterator[Table]:
    size = path.stat().st_size
    with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        header = next(_lines(rows), (0, None))[1]
        if not header:
            raise BrokenFileError("The file has no header: its first row must name the columns.")
        done = [0]

        def counted() -> Iterator[Line]:
            for line in _lines(rows):
                done[0] += 1
                yield line

        def total() -> int | None:
            read = raw.tell()
            return max(done[0], done[0] * size // read) if done[0] and read else None

        yield Table([str(cell) for cell in header], counted(), total)


def _lines(rows: Any) -> Iterator[Line]:
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield rows.line_num, None
            continue
        if cells:  # an empty line is none
            yield rows.line_num, cells


def _parquet(path: Path) -> Iterator[Table]:
    pa, pq = parquet.arrow()
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        raise BrokenFileError("The file is not a Parquet file, or it is damaged.") from None
    with file:

        def lines() -> Iterator[Line]:
            number = 1
            for batch in file.iter_batches(batch_size=BATCH):
                columns = [_plain(pa, column).to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, list(cells)

        yield Table(list(file.schema_arrow.names), lines(), lambda: int(file.metadata.num_rows))


def _plain(pa: Any, column: Any) -> Any:
    """Moments at microseconds: Python knows no finer ones."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return column
