"""Rollups against plain recomputation: whatever comes, goes and is folded in whatever order, they tell the truth."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from tests.make import NOON
from webmacs.core import clock
from webmacs.core.db import db, driver
from webmacs.features.datapoints import decide, operations, queries, rollups, store
from webmacs.features.datapoints.decide import BLOCK, DAY, HOUR, MINUTE, SECOND, TEN, Bucket, summarize
from webmacs.features.datapoints.models import datapoints, raw_from, rollup_state, stale_blocks
from webmacs.features.datapoints.models import rollups as rollup_table
from webmacs.features.datapoints.rollups import keeper, reading
from webmacs.features.datapoints.series import figures, samples
from webmacs.features.datapoints.store import Row

START = clock.to_micros(NOON) // DAY * DAY + 9 * HOUR + 57 * MINUTE
quiet = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Plant:
    """Two channels, a clock that is moved by hand, and what ought to be stored."""

    def __init__(self, lab, who, monkeypatch):
        self.lab, self.who = lab, who
        self.events = [lab.event(who), lab.event(who)]
        self.now = START
        self.points = {event.id: {} for event in self.events}
        monkeypatch.setattr(clock, "now", lambda: clock.from_micros(self.now))

    def write(self, *points):
        """(which channel, seconds since START, value)."""
        rows = [Row(self.events[which].id, START + round(second * SECOND), value) for which, second, value in points]
        with self.lab.arrival():
            store.of(db.engine.dialect.name).write(driver(), rows, [])
        for event_id, ts, value in rows:
            self.points[event_id].setdefault(ts, value)

    def remove(self, which, low, high):
        event_id = self.events[which].id
        low, high = START + low * SECOND, START + high * SECOND
        with self.lab.arrival():
            rollups.mark_stale([event_id], low, high)
            t = datapoints.c
            db.session.execute(delete(datapoints).where(t.event_id == event_id, t.ts >= low, t.ts < high))
            operations._find_latest_again([event_id])
        mine = self.points[event_id]
        self.points[event_id] = {ts: value for ts, value in mine.items() if not low <= ts < high}

    def wait(self, seconds):
        self.now += seconds * SECOND

    def fold(self):
        with self.lab.app.app_context():
            return rollups.fold(db.engine)

    def fold_everything(self):
        while self.fold():
            pass

    def buckets(self, event, start, stop, step):
        """By definition."""
        mine = sorted((ts, value) for ts, value in self.points[event.id].items() if start <= ts < stop)
        return summarize([ts for ts, _ in mine], [value for _, value in mine], step)

    def kept(self):
        """The rows that there ought to be once everything is folded."""
        rows, whole = set(), self.state().whole_until
        for event in self.events:
            for block in self.buckets(event, 0, whole, BLOCK):
                is_over = block.start + BLOCK <= whole
                width = decide.finest(block.points) if is_over else TEN
                mine = self.buckets(event, block.start, min(whole, block.start + BLOCK), width)
                made = decide.block_rows(mine, width) if is_over else [(TEN, each) for each in mine]
                rows |= {(event.id, wide, *exact(bucket)) for wide, bucket in made}
            for width in (HOUR, DAY):
                over = whole // width * width
                rows |= {(event.id, width, *exact(bucket)) for bucket in self.buckets(event, 0, over, width)}
        return rows

    def stored(self):
        with self.lab.arrival(write=False):
            found = db.session.execute(select(rollup_table))
            return {(event_id, width, *exact(Bucket(*bucket))) for event_id, width, *bucket in found}

    def state(self):
        with self.lab.arrival(write=False):
            return db.session.execute(select(rollup_state)).one()

    def marks(self):
        with self.lab.arrival(write=False):
            return [tuple(row) for row in db.session.execute(select(stale_blocks))]

    def agrees(self, start, stop, step):
        """Compare what is read with what is there, for a window in seconds."""
        start, stop = START + start * SECOND, START + stop * SECOND
        ids = [event.id for event in self.events]
        with self.lab.arrival(write=False):
            connection = driver()
            known = reading.truth(connection, ids, start, stop)
            for event in self.events:
                found = reading.cover(connection, known, event.id, start, stop, step)
                assert list(map(exact, found)) == list(map(exact, self.buckets(event, start, stop, step)))
            inside = {i: [v for ts, v in self.points[i].items() if start <= ts < stop] for i in ids}
            assert reading.count(connection, ids, start, stop) == sum(map(len, inside.values()))
            sums = figures(ids, start, stop)
            assert set(sums) == {i for i in ids if inside[i]}
            for event_id, each in sums.items():
                mine = inside[event_id]
                assert each[:3] == (len(mine), min(mine), max(mine))
                assert each.mean == pytest.approx(sum(mine) / len(mine))


def exact(bucket):
    """What must be equal; the order of adding may show in the last digits of a sum."""
    return (*bucket[:2], round(bucket.total, 6), *bucket[3:])


@pytest.fixture
def narrow(monkeypatch):
    """So that few points meet all the edges."""
    for width, points in ((TEN, 6), (MINUTE, 3)):
        monkeypatch.setitem(decide.FEWEST, width, points)
    for module in (keeper, reading):
        monkeypatch.setattr(module, "ROWS", 5)
    monkeypatch.setattr(reading, "BRANCHES", 3)


SECONDS = st.one_of(st.integers(-200_000, 9_000), st.integers(-900, 2_000), st.integers(0, 60))
POINT = st.tuples(st.integers(0, 1), SECONDS, st.integers(-9, 9).map(float))
STEP = st.one_of(
    st.tuples(st.just("write"), st.lists(POINT, min_size=1, max_size=12)),
    st.tuples(st.just("burst"), st.tuples(st.integers(0, 1), SECONDS, st.sampled_from([0.3, 4, 55]))),
    st.tuples(st.just("wait"), st.sampled_from([3, 15, 300, 4_000, 100_000])),
    st.tuples(st.just("remove"), st.tuples(st.integers(0, 1), SECONDS, st.sampled_from([1, 100, 5_000]))),
    st.tuples(st.just("fold"), st.none()),
)
WINDOW = st.tuples(SECONDS, SECONDS, st.sampled_from([SECOND, TEN, 3 * TEN, MINUTE, 2 * BLOCK, HOUR, DAY]))


def _do(plant, deed, what):
    if deed == "write":
        plant.write(*what)
    elif deed == "burst":
        which, second, step = what
        plant.write(*((which, second + n * step, float(n % 7)) for n in range(20)))
    elif deed == "wait":
        plant.wait(what)
    elif deed == "remove":
        which, second, length = what
        plant.remove(which, second, second + length)
    else:
        plant.fold()


@quiet
@given(steps=st.lists(STEP, max_size=14), windows=st.lists(WINDOW, min_size=3, max_size=3))
def test_whatever_comes_and_goes_rollups_tell_what_the_points_do(lab, oscar, monkeypatch, narrow, steps, windows):
    plant = Plant(lab, oscar, monkeypatch)
    for deed, what in steps:
        _do(plant, deed, what)
    for low, high, step in windows:
        plant.agrees(min(low, high), max(low, high), step)
    plant.fold_everything()
    assert {row for row in plant.stored() if row[0] in plant.points} == plant.kept()
    assert all(block * BLOCK >= plant.state().whole_until for _, block, _ in plant.marks())
    for low, high, step in windows:
        plant.agrees(min(low, high), max(low, high), step)


@quiet
@given(
    batch=st.lists(POINT, min_size=1, max_size=30, unique_by=lambda point: point[:2]),
    order=st.randoms(use_true_random=False),
    folds=st.sets(st.integers(0, 60)),
)
def test_any_order_and_repetition_gives_the_same_rollups(lab, oscar, monkeypatch, narrow, batch, order, folds):
    once, again = Plant(lab, oscar, monkeypatch), Plant(lab, oscar, monkeypatch)
    once.write(*batch)
    twice = batch * 2
    order.shuffle(twice)
    for index, point in enumerate(twice):
        again.write(point)
        again.wait(40)
        if index in folds:
            again.fold()
    again.wait(10_000)
    again.fold_everything()
    stored = again.stored()
    for one, two in zip(once.events, again.events, strict=True):
        assert {row[1:] for row in stored if row[0] == one.id} == {row[1:] for row in stored if row[0] == two.id}


def test_a_busy_channel_is_folded_by_the_database(lab, oscar, monkeypatch):
    monkeypatch.setattr(keeper, "ROWS", 500)
    monkeypatch.setattr(reading, "ROWS", 500)
    plant = Plant(lab, oscar, monkeypatch)
    plant.write(*((0, n * 0.25, float(n * 7919 % 1013)) for n in range(4_000)))
    plant.write(*((1, n * 3, float(n % 5)) for n in range(900)))
    plant.wait(3_000)
    plant.fold_everything()
    assert plant.stored() == plant.kept()
    for step in (TEN, MINUTE, BLOCK, HOUR, 7 * SECOND):
        plant.agrees(3, 990, step)


def _meanwhile(monkeypatch, deed):
    """Let something happen once between what the keeper reads and what it writes."""
    commit, left = keeper._commit, [deed]

    def interrupted(*values):
        if left:
            left.pop()()
        return commit(*values)

    monkeypatch.setattr(keeper, "_commit", interrupted)


def test_a_late_value_that_comes_during_a_fold_is_not_lost(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write((0, 5, 1.0), (0, 3_000, 1.0))
    plant.wait(10_000)
    plant.fold_everything()
    plant.write((0, 6, 2.0))
    _meanwhile(monkeypatch, lambda: plant.write((0, 7, 9.0)))
    plant.fold()
    plant.agrees(-HOUR // SECOND, 9_000, BLOCK)
    plant.fold_everything()
    assert plant.marks() == []
    assert plant.stored() == plant.kept()


def test_a_value_that_comes_while_the_newest_are_folded_is_not_lost(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write((0, 5, 1.0))
    plant.wait(100)
    _meanwhile(monkeypatch, lambda: plant.write((0, 6, 2.0), (1, 80, 3.0)))
    plant.fold_everything()
    assert plant.stored() == plant.kept()
    plant.agrees(0, 200, TEN)


def test_a_deletion_during_a_fold_leaves_nothing_behind(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write((0, 5, 1.0), (0, 6, 2.0))
    plant.wait(5_000)
    _meanwhile(monkeypatch, lambda: plant.remove(0, 6, 7))
    plant.fold_everything()
    assert plant.stored() == plant.kept()


def test_a_channel_that_is_forgotten_during_a_fold_leaves_no_rollups(lab, oscar, client_as, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write((0, 5, 1.0), (1, 5, 1.0))
    plant.wait(100_000)
    path = f"/api/v1/events/{plant.events[0].public_id}"
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(hours=1))  # the credential still counts
    delete_it = client_as(oscar)
    _meanwhile(monkeypatch, lambda: delete_it.delete(path))
    plant.fold_everything()
    plant.points[plant.events[0].id] = {}
    assert plant.stored() == plant.kept()
    assert plant.stored()


def test_two_keepers_do_not_settle_what_the_other_has_not_read(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write((0, 5, 1.0))
    plant.wait(5_000)
    plant.fold_everything()
    plant.write((0, 6, 2.0))

    def another():
        monkeypatch.setattr(keeper, "_reading", alone)
        plant.fold_everything()
        plant.write((0, 7, 3.0))

    monkeypatch.setattr(keeper, "_reading", both := _reading_of_its_own(keeper._reading))
    alone = both
    _meanwhile(monkeypatch, another)
    plant.fold_everything()
    assert plant.marks() == []
    assert plant.stored() == plant.kept()


def _reading_of_its_own(reading_of):
    """A keeper on another host, past the lock that keeps the second one from reading in vain."""
    from contextlib import contextmanager

    @contextmanager
    def open_it(engine):
        with reading_of(engine) as (connection, _):
            yield connection, True

    return open_it


def test_a_block_means_the_same_to_writers_and_keepers():
    assert store.BLOCK == BLOCK


def test_removing_a_value_or_an_experiment_takes_it_out_of_the_rollups(lab, oscar, client_as, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    event = plant.events[0]
    run = lab.experiment(
        oscar,
        started=clock.from_micros(START + 1_000 * SECOND),
        stopped=clock.from_micros(START + 2_000 * SECOND),
    )
    plant.write(*((0, n * 10, float(n)) for n in range(300)))
    monkeypatch.undo()
    plant.fold_everything()
    client = client_as(oscar)
    client.delete(f"/api/v1/datapoints/{queries.public_id(event.public_id, START + 50 * SECOND)}")
    client.delete(f"/api/v1/experiments/{run.public_id}")
    plant.points[event.id] = {
        ts: value
        for ts, value in plant.points[event.id].items()
        if ts != START + 50 * SECOND and not START + 1_000 * SECOND <= ts <= START + 2_000 * SECOND
    }
    plant.agrees(-5_000, 5_000, HOUR)
    plant.fold_everything()
    assert plant.stored() == plant.kept()
    assert client.get("/api/v1/datapoints").json["total"] == len(plant.points[event.id]) == 198


def test_rollups_outlive_points_that_are_let_go(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    event = plant.events[0]
    plant.write(*((0, n * 10, float(n % 50)) for n in range(1_000)))
    plant.wait(200_000)
    plant.fold_everything()
    before = plant.stored()
    with lab.arrival():
        reached = rollups.let_go(event.id, START + 5_000 * SECOND)
        db.session.execute(delete(datapoints).where(datapoints.c.ts < reached))
    assert START + 5_000 * SECOND - BLOCK < reached <= START + 5_000 * SECOND
    plant.write((0, 17, 99.0))  # too late: it is not worth the rollups of its block
    plant.fold_everything()
    assert (plant.stored(), plant.marks()) == (before, [])
    with lab.arrival(write=False):
        stop = START + 200_000 * SECOND
        assert max(value for _, value in samples(event.id, START - DAY, stop, 100, "minmax")) == 49
        assert samples(event.id, START - DAY, stop, 100, "minmax")[0][0] < START + BLOCK
        left = sum(ts >= reached for ts in plant.points[event.id])
        assert reading.count(driver(), [event.id], 0, stop) == left + 1
    with lab.arrival():
        rollups.forget([event.id])
        assert db.session.execute(select(raw_from)).all() == []
    assert {row for row in plant.stored() if row[0] == event.id} == set()


def test_days_of_rollups_can_be_forgotten(lab, oscar, monkeypatch):
    plant = Plant(lab, oscar, monkeypatch)
    plant.write(*((0, n * 3_600, float(n)) for n in range(80)))
    plant.wait(400_000)
    plant.fold_everything()
    first = START // DAY * DAY
    with lab.arrival():
        rollups.forget([plant.events[0].id], 0, first + 2 * DAY + HOUR)
    assert plant.stored() == {row for row in plant.kept() if row[2] >= first + 2 * DAY}
