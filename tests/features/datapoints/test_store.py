"""One suite for every store of datapoints: each point once, whoever sends it how often in whatever order."""

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from webmacs.core.db import Wire, db
from webmacs.features.datapoints import store
from webmacs.features.datapoints.models import datapoints, latest_datapoints, rollup_state, stale_blocks
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.datapoints.store import BLOCK, Columns, Row

T = (int(time.time()) // 600 * 600 - 400) * 1_000_000  # lately, and not at the beginning of a block
FEW, MANY = 5, 600  # many go another way into the database than few
ROWS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12), st.integers(0, 3)), max_size=12)


class Bench:
    """A store on an empty database, past the application."""

    def __init__(self, app, way="within"):
        self.way = way
        with app.app_context():
            self.engine = db.engine
        self.url = self.engine.url.render_as_string(hide_password=False)
        self.store = store.of(self.engine.dialect.name)

    @contextmanager
    def transaction(self):
        """The driver's connection; committed at the end."""
        with closing(Wire(self.engine)) as wire, wire.transaction() as connection:
            yield connection

    def write(self, timed=(), untimed=()):
        with self.transaction() as connection:
            rows, wishes = [Row(*row) for row in timed], [Row(*row) for row in untimed]
            if self.way == "load" and rows:
                self.store.load(connection, Columns(*zip(*rows, strict=True)))
                rows = []
            return self.store.write(connection, rows, wishes, alone=self.way == "alone")

    def rows(self, table=datapoints):
        with self.engine.connect() as connection:
            columns = [c for c in table.c if c.name != "quality"]
            return sorted(tuple(row) for row in connection.execute(select(*columns)))

    def latest(self):
        return self.rows(latest_datapoints)

    def fold_until(self, moment):
        with self.engine.begin() as connection:
            connection.execute(insert(rollup_state).values(id=1, open_from=moment, whole_until=moment))


WAYS = ("within", "alone", "load")


@pytest.fixture(params=WAYS)
def bench(app, request):
    """Writes go into a transaction of their caller, or are one by themselves, or come in columns."""
    return Bench(app, request.param)


def _many(count=MANY, events=3):
    return [(1 + n % events, T + n // events * 1_000, n / 7) for n in range(count)]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_sending_a_batch_again_changes_nothing(bench, count):
    rows = _many(count)
    bench.write(rows)
    before = bench.rows(), bench.latest()
    bench.write(rows)
    bench.write(list(reversed(rows)) + rows)
    assert (bench.rows(), bench.latest()) == before
    assert bench.rows() == sorted(rows)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_what_is_new_in_a_repeated_batch_is_stored(bench, count):
    rows = _many(count)
    bench.write(rows[::3])
    bench.write(rows)
    assert bench.rows() == sorted(rows)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_the_first_value_of_a_moment_stays(bench, count):
    rows = _many(count)
    other = [(event, ts, value + 100) for event, ts, value in rows]
    bench.write(rows + other)
    bench.write(other)
    assert bench.rows() == sorted(rows)
    assert [value for _, _, value in bench.latest()] == [
        max(rows, key=lambda r: (r[0] == e, r[1]))[2] for e in (1, 2, 3)
    ]


def test_values_come_back_as_they_went_in(bench):
    values = [0.1, -0.0, 5e-324, 1.7976931348623157e308, -123456789.123456789, 1 / 3, 2.0**-1074, 1e22]
    bench.write([(1, T + n, value) for n, value in enumerate(values)])
    bench.write([(2, T + n, values[n % 8]) for n in range(MANY)])
    bench.write([(2, T + n, 0.0) for n in range(MANY + 1)])
    assert [value for event, _, value in bench.rows() if event == 1] == values
    assert [value for event, _, value in bench.rows() if event == 2] == [values[n % 8] for n in range(MANY)] + [0.0]


def test_the_extremes_of_time_are_stored(bench):
    rows = [(1, 0, 1.0), (1, 1, 2.0), (1, T, 3.0), (1, LAST - 1, 4.0)]
    bench.write(rows)
    bench.write(rows)
    assert bench.rows() == rows
    assert bench.latest() == [(1, LAST - 1, 4.0)]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_the_latest_is_kept_whatever_comes_later(bench, count):
    rows = _many(count, events=1)
    bench.write([rows[-1]])
    bench.write(rows[:-1])
    assert bench.latest() == [rows[-1]]
    bench.write([(1, T - 5, 0.5)], [(2, T, 1.5)])
    assert bench.latest() == [rows[-1], (2, T, 1.5)]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_untimed_values_find_free_moments_and_keep_their_order(bench, count):
    taken = [(1, T + n, -1.0) for n in (0, 1, 2, 5, count + 1)]
    bench.write(taken)
    wishes = [(1, T + n, float(n)) for n in range(count)] + [(2, T, 9.0)]
    placed = bench.write([], wishes)
    assert [value for _, _, value in placed] == [value for _, _, value in wishes]
    assert [ts for event, ts, _ in placed if event == 1] == sorted({ts for event, ts, _ in placed if event == 1})
    assert bench.rows() == sorted(taken + [tuple(row) for row in placed])
    assert bench.latest() == sorted([max(r for r in bench.rows() if r[0] == 1), (2, T, 9.0)])


def test_untimed_values_make_room_for_timed_ones_of_the_same_batch(bench):
    placed = bench.write([(1, T, 1.0), (1, T + 2, 2.0)], [(1, T, 3.0), (1, T + 1, 4.0), (1, T + 1, 5.0)])
    assert [tuple(row) for row in placed] == [(1, T + 1, 3.0), (1, T + 3, 4.0), (1, T + 4, 5.0)]
    assert len(bench.rows()) == 5


def test_two_untimed_values_of_one_moment_are_both_kept(bench):
    placed = bench.write([], [(1, T, 1.0), (1, T, 2.0)])
    assert bench.rows() == [tuple(row) for row in placed] == [(1, T, 1.0), (1, T + 1, 2.0)]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_late_points_mark_their_blocks_and_others_do_not(bench, count):
    start = T - T % BLOCK
    bench.fold_until(start + BLOCK)
    late = [(1, start + n, 0.0) for n in range(count)]
    bench.write([*late, (2, start + BLOCK, 0.0)], [(3, start + 5, 0.0), (2, start + BLOCK + 7, 0.0)])
    assert bench.rows(stale_blocks) == [(1, start // BLOCK, 1), (3, start // BLOCK, 1)]
    bench.write(late)
    assert bench.rows(stale_blocks)[0][2] == 2


def test_nothing_is_nothing(bench):
    assert list(bench.write()) == []
    assert bench.rows() == bench.latest() == []


def test_what_the_caller_rolls_back_is_gone(bench):
    def write_and_fail():
        with bench.transaction() as connection:
            bench.store.write(connection, [Row(*row) for row in _many()], [Row(9, T, 1.0)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert bench.rows() == bench.latest() == bench.rows(stale_blocks) == []


def test_several_writes_share_a_transaction(bench):
    rows = _many()
    with bench.transaction() as connection:
        for batch in (rows, rows, [(7, T, 1.0)]):
            bench.store.write(connection, [Row(*row) for row in batch], [])
    assert bench.rows() == sorted([*rows, (7, T, 1.0)])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(ROWS, min_size=1, max_size=4), data=st.data())
def test_any_permutation_and_repetition_of_batches_gives_the_same_table(installation, batches, data):
    """Each moment has one value here: which of two different ones comes first is the sender's order, not ours."""
    spread = 40 * 86_400_000_000  # several months: on PostgreSQL several partitions
    batches = [[(e, T + (n - 6) * spread, float(e * n)) for e, n, _ in batch] for batch in batches]
    installation.empty()
    bench = Bench(installation.app, data.draw(st.sampled_from(WAYS)))
    for batch in data.draw(st.permutations(batches)) + data.draw(st.lists(st.sampled_from(batches), max_size=3)):
        bench.write(data.draw(st.permutations(batch)))
    wanted = sorted({row for batch in batches for row in batch})
    assert bench.rows() == wanted
    assert bench.latest() == sorted({row[0]: row for row in wanted}.values())


@pytest.mark.parametrize("count", [FEW, MANY])
def test_concurrent_writers_store_each_point_once(bench, count):
    rows = _many(count)
    barrier = threading.Barrier(4)

    def send(seed):
        chance = random.Random(seed)
        barrier.wait()
        for _ in range(4):
            mine = chance.sample(rows, len(rows))
            bench.write(mine[: len(mine) // 2])
            bench.write(mine[len(mine) // 2 :], [(8, T + n, float(seed)) for n in range(3)])

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(send, seed) for seed in range(4)]:
            done.result(60)
    assert [row for row in bench.rows() if row[0] < 8] == sorted(rows)
    assert sum(row[0] == 8 for row in bench.rows()) == 4 * 4 * 3
    assert bench.latest()[:-1] == sorted({row[0]: row for row in sorted(rows)}.values())[: len(bench.latest()) - 1]


PROCESS = """
import sys
from sqlalchemy import create_engine
from webmacs.core.db import Wire, engine_options
from webmacs.features.datapoints import store
from webmacs.features.datapoints.store import Row
url, seed, mode, start = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
engine = create_engine(url, **engine_options(url))
wire = Wire(engine)
rows = [Row(1 + n % 3, start + n // 3 * 1000, n / 7) for n in range(600)]
for turn in range(8):
    chosen = rows[(turn + seed) % 3 :: 1 + (turn + seed) % 4]
    with wire.transaction() as connection:
        timed, untimed = chosen if mode == "all" else rows, [Row(9, rows[turn].ts, seed)]
        store.of(engine.dialect.name).write(connection, timed, untimed)
        if mode == "hang":
            print("written", flush=True)
            sys.stdin.read()
"""


def _process(bench, seed, mode):
    command = [sys.executable, "-c", PROCESS, bench.url, str(seed), mode, str(T)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("order", ["by time", "by channel", "any", "repeated"])
def test_loading_tells_the_newest_of_each_channel(app, order):
    bench, rows = Bench(app), _many()
    newest = sorted(rows)[MANY // 3 - 1 :: MANY // 3]
    if order == "by channel":
        rows.sort()
    elif order == "any":
        random.Random(1).shuffle(rows)
    elif order == "repeated":
        rows += [(*row[:2], -1.0) for row in rows]
    with bench.transaction() as connection:
        assert [tuple(row) for row in bench.store.load(connection, Columns(*zip(*rows, strict=True)))] == newest
    assert bench.rows() == sorted(_many())
    assert bench.latest() == newest


def test_who_writes_alone_needs_no_other_commit(app):
    """Small and large, timed and not: where the store may commit, nothing is open afterwards on PostgreSQL."""
    bench = Bench(app)
    few, many = [Row(*row) for row in _many(FEW)], [Row(event + 3, *row) for event, *row in _many()]
    for timed, untimed in ((few, ()), (many, ()), ((), [Row(7, *row[1:]) for row in few[::3]]), ((), many[:1])):
        with bench.transaction() as connection:
            is_over = not untimed or untimed[0][0] == 7  # the last one's moment is taken
            bench.store.write(connection, timed, untimed, alone=True)
            if bench.engine.dialect.name == "postgresql":
                assert connection.info.transaction_status.name == ("IDLE" if is_over else "INTRANS")
    assert len(bench.rows()) == FEW + MANY + 2 + 1


@pytest.mark.parametrize("count", [FEW, MANY])
def test_a_connection_that_is_cut_while_one_writes_alone_is_told_as_such(app, database, count):
    if database == "sqlite":
        pytest.skip("a file has no connections that somebody could cut")
    bench, rows = Bench(app), [Row(*row) for row in _many(count)]

    def write_and_lose():
        with bench.transaction() as connection:
            with bench.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": connection.info.backend_pid})
            bench.store.write(connection, rows, [], alone=True)

    with pytest.raises(psycopg.OperationalError):
        write_and_lose()
    assert bench.rows() == []
    bench.write(rows)
    assert len(bench.rows()) == count


def test_processes_that_write_the_same_points_store_each_once(bench):
    writers = [_process(bench, seed, "all") for seed in range(3)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    stored = [row for row in bench.rows() if row[0] != 9]
    assert stored == sorted((1 + n % 3, T + n // 3 * 1000, n / 7) for n in range(600))
    assert sum(row[0] == 9 for row in bench.rows()) == 3 * 8


def test_a_process_killed_in_the_middle_leaves_nothing_half_written(bench):
    writer = _process(bench, 0, "hang")
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=30)
    assert bench.rows() == bench.latest() == []
    bench.write(_many())  # and nothing that it held is in the way
    assert bench.rows() == sorted(_many())


def test_what_is_not_a_number_is_refused_before_a_store(bench, lab, oscar, client_as):
    event = lab.event(oscar)
    for value in ("NaN", "Infinity", "-1e999"):
        body = f'{{"datapoints": [{{"event_public_id": "{event.public_id}", "value": {value}}}]}}'
        client_as(oscar).post("/api/v1/datapoints/batch", data=body, headers={"Content-Type": "application/json"})
    assert bench.rows() == []


def test_the_key_leads_with_the_channel_and_no_other_index_costs(bench):
    with bench.engine.connect() as connection:
        if bench.engine.dialect.name == "postgresql":
            found = connection.execute(
                text("SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'datapoints\\_y%' AND schemaname = 'public'")
            ).scalars()
            assert {index.partition(" USING ")[2] for index in found} == {"btree (event_id, ts)"}
        else:
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE tbl_name = 'datapoints'")).scalars()
            assert list(found) == ["datapoints"]
