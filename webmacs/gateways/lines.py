"""Recorded values as lines of text, as fast as Python can: the work is done for columns, not for rows.

A line is: the second of its time, its microseconds, a text that is fixed for the channel, the value, another fixed
text, and the time in hexadecimal (the end of the datapoint's public id).
"""

import sys
from array import array
from binascii import hexlify
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from struct import Struct

import orjson

ROWS = 2_000  # rows of one chunk: about 250 kB, in two milliseconds
SECONDS = 10_000  # texts of seconds that are remembered
_SIXTEEN = 10**15  # the first moment of sixteen digits, September 2001

_STAMP = Struct("10s6sx")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - its text shall have no zone


class Layout:
    """How a line looks. `cells`: event id → the fixed text before and after the value."""

    def __init__(self, begin: bytes, cells: Mapping[int, tuple[bytes, bytes]], end: bytes) -> None:
        self._begin = begin
        self._end = end
        self._before = {event_id: pair[0] for event_id, pair in cells.items()}
        self._after = {event_id: pair[1] for event_id, pair in cells.items()}
        self._seconds = _Seconds(end + begin)

    def lines(self, event_ids: Sequence[int], times: Sequence[int], values: Sequence[float]) -> Iterator[bytes]:
        """The rows as text, a chunk at a time."""
        for at in range(0, len(times), ROWS):
            upto = at + ROWS
            yield self._chunk(event_ids[at:upto], times[at:upto], values[at:upto])

    def _chunk(self, event_ids: Sequence[int], times: Sequence[int], values: Sequence[float]) -> bytes:
        stamps = list(chain.from_iterable(_STAMP.iter_unpack(_digits(times))))
        pieces = [b""] * (6 * len(times))
        pieces[0::6] = map(self._seconds.__getitem__, stamps[0::2])
        pieces[1::6] = stamps[1::2]
        pieces[2::6] = map(self._before.__getitem__, event_ids)
        pieces[3::6] = numbers(values)
        pieces[4::6] = map(self._after.__getitem__, event_ids)
        pieces[5::6] = _hexadecimal(times)
        # each line begins with the end of the one before: one piece less for every row
        return b"".join(pieces)[len(self._end) :] + self._end


class _Seconds(dict[bytes, bytes]):
    """Digits of a second since 1970 → the beginning of its lines."""

    def __init__(self, begin: bytes) -> None:
        super().__init__()
        self._begin = begin

    def __missing__(self, digits: bytes) -> bytes:
        if len(self) >= SECONDS:
            self.clear()
        moment = _EPOCH + timedelta(seconds=int(digits))
        text = self[digits] = self._begin + moment.isoformat().encode() + b"."
        return text


def _digits(times: Sequence[int]) -> bytes:
    """The moments in sixteen decimal digits each, with a byte between them."""
    if times[0] >= _SIXTEEN:  # they ascend
        return orjson.dumps(times)[1:-1] + b","
    return b"".join([b"%016d," % ts for ts in times])


def _hexadecimal(times: Sequence[int]) -> list[bytes]:
    """The moments in fourteen hexadecimal digits each."""
    packed = array("q", times)
    if sys.byteorder == "little":
        packed.byteswap()
    sevens = bytearray(packed.tobytes())
    del sevens[::8]
    return hexlify(sevens, b",", -7).split(b",")


def numbers(values: Sequence[float]) -> list[bytes]:
    """The shortest text of each number that means exactly this number, spelled as Python's `repr` does."""
    text = orjson.dumps(values)
    if b"e" in text or b"0.0000" in text:  # there the two differ in where exponents begin and how they look
        return [repr(value).encode() for value in values]
    return text[1:-1].split(b",")
