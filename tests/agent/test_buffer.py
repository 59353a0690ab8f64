"""The buffer: nothing lost, nothing doubled, whatever happens to the process and the file."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.agent.rig import wait_until
from webmacs.agent.buffer import QUARANTINE_LIMIT, Buffer, Sample, Stored


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agent" / "buffer.db"


def samples(first, count):
    return [Sample("evt", at, float(at)) for at in range(first, first + count)]


def taken(buffer, limit=10_000):
    return [entry.sample for entry in buffer.oldest(limit)]


class AnyOrder(RuleBasedStateMachine):
    """Adding, sending, acknowledging, rejecting and crashing in any order, against a plain model."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.generation = 0
        self.path = self.folder / "0" / "buffer.db"
        self.buffer = Buffer(self.path, 10_000)
        self.next = 1
        self.model = []
        self.aside = []
        self.in_flight = []

    @rule(count=st.integers(0, 7))
    def add(self, count):
        new = samples(self.next, count)
        self.next += count
        self.buffer.add(new)
        self.model += new

    @rule(count=st.integers(1, 5))
    def take(self, count):
        self.in_flight = self.buffer.oldest(count)
        assert [entry.sample for entry in self.in_flight] == self.model[:count]

    @rule(rejected=st.sets(st.integers(0, 4)))
    def acknowledge(self, rejected):
        bad = [entry for index, entry in enumerate(self.in_flight) if index in rejected]
        good = [entry for index, entry in enumerate(self.in_flight) if index not in rejected]
        self.buffer.settle(good, [(entry, "unwanted") for entry in bad])
        self.aside += [entry.sample for entry in bad]
        settled = {entry.sample for entry in self.in_flight}
        self.model = [sample for sample in self.model if sample not in settled]
        self.in_flight = []

    @rule()
    def crash(self):
        """What a killed process leaves is what the files hold at that moment."""
        self.generation += 1
        copy = self.folder / str(self.generation)
        shutil.copytree(self.path.parent, copy, ignore=shutil.ignore_patterns("*-shm"))
        self.buffer.close()
        self.path = copy / "buffer.db"
        self.buffer = Buffer(self.path, 10_000)
        self.in_flight = []

    @rule()
    def checkpoint(self):
        self.buffer.checkpoint()

    @invariant()
    def holds_exactly_what_was_not_acknowledged(self):
        assert taken(self.buffer) == self.model
        assert self.buffer.count == len(self.model)
        assert [sample for sample, _ in self.buffer.quarantined()] == self.aside
        assert self.buffer.newest == self.next - 1

    def teardown(self):
        self.buffer.close()
        shutil.rmtree(self.folder)


AnyOrder.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase


def test_a_killed_writer_leaves_every_sample_it_reported_as_stored(path):
    program = (
        "import sys; from pathlib import Path; from webmacs.agent.buffer import Buffer, Sample\n"
        "buffer = Buffer(Path(sys.argv[1]), 10**6)\n"
        "for at in range(1, 10**6):\n"
        "    buffer.add([Sample('evt', at, at)]); print(at, flush=True)\n"
    )
    output = path.parent.parent / "reported"
    with output.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=file)
        wait_until(lambda: output.stat().st_size > 2000, "it stores")
        process.kill()
        process.wait()
    reported = int(output.read_text().rpartition("\n")[0].rpartition("\n")[2])
    buffer = Buffer(path, 10**6)
    assert taken(buffer, 10**6)[:reported] == samples(1, reported)
    assert buffer.count <= reported + 1


def test_at_the_limit_the_oldest_go_and_are_counted(path):
    buffer = Buffer(path, 10)
    assert buffer.add(samples(1, 8)) == 0
    assert buffer.add(samples(9, 5)) == 3
    assert taken(buffer) == samples(4, 10)
    assert (buffer.count, buffer.dropped) == (10, 3)
    buffer.close()
    assert Buffer(path, 10).dropped == 3


def test_what_is_in_flight_when_the_limit_drops_it_is_not_confused_with_newer_samples(path):
    buffer = Buffer(path, 4)
    buffer.add(samples(1, 4))
    in_flight = buffer.oldest(4)
    buffer.add(samples(5, 4))
    buffer.settle(in_flight)
    assert taken(buffer) == samples(5, 4)


def test_the_quarantine_is_bounded_and_keeps_the_newest(path):
    buffer = Buffer(path, 10**6)
    buffer.add(samples(1, QUARANTINE_LIMIT + 5))
    buffer.settle([], [(entry, "unwanted") for entry in buffer.oldest(QUARANTINE_LIMIT + 5)])
    kept = buffer.quarantined()
    assert len(kept) == QUARANTINE_LIMIT
    assert kept[0] == (Sample("evt", 6, 6.0), "unwanted")


@pytest.mark.parametrize("garbage", [b"", b"this is no database at all" * 400])
def test_a_file_that_is_no_database_is_set_aside(path, garbage):
    path.parent.mkdir()
    path.write_bytes(garbage)
    buffer = Buffer(path, 10)
    buffer.add(samples(1, 2))
    assert taken(buffer) == samples(1, 2)
    aside = list(path.parent.glob("*.damaged-*"))
    assert [file.read_bytes() for file in aside] == ([garbage] if garbage else [])


def test_of_a_damaged_file_the_readable_part_is_carried_over(path):
    buffer = Buffer(path, 10**6)
    buffer.add(samples(1, 3000))
    buffer.close()
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 :] = os.urandom(len(whole) - len(whole) // 2)
    path.write_bytes(whole)
    buffer = Buffer(path, 10**6)
    saved = taken(buffer)
    assert 500 < len(saved) < 3000
    assert saved == samples(1, len(saved))
    buffer.close()
    assert Buffer(path, 10**6).newest == len(saved), "no saved sample's time is given out again"


def test_damage_while_it_is_open_is_survived_and_what_is_in_flight_stays_distinct(path):
    buffer = Buffer(path, 10**6)
    buffer.add(samples(1, 2000))
    in_flight = buffer.oldest(3)
    buffer.checkpoint()
    with path.open("r+b") as file:
        file.seek(0)
        file.write(os.urandom(200_000))
    with sqlite3.connect(path) as other, pytest.raises(sqlite3.DatabaseError):
        other.execute("SELECT count(*) FROM samples").fetchone()
    buffer._connection.execute("PRAGMA shrink_memory")
    buffer.add(samples(5000, 2))
    assert samples(5000, 2) == taken(buffer, 10**6)[-2:]
    assert list(path.parent.glob("*.damaged-*"))
    assert Buffer(path, 10**6).newest == 5001
    buffer.settle(in_flight)
    assert samples(5000, 2) == taken(buffer, 10**6)[-2:]


def test_a_full_disk_is_an_error_and_leaves_the_buffer_as_it_was(path):
    buffer = Buffer(path, 10**6)
    buffer.add(samples(1, 10))
    buffer._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.OperationalError):
        buffer.add(samples(11, 10_000))
    assert buffer.count == 10
    assert taken(buffer) == samples(1, 10)
    assert isinstance(buffer.oldest(1)[0], Stored)
