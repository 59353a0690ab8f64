"""Forwarding: batches, refusals, quarantine, and a disk that does not take samples."""

import asyncio

import pytest

from webmacs.agent.buffer import Buffer, Sample
from webmacs.agent.client import Client, Patience, ServerError
from webmacs.agent.clock import Clock
from webmacs.agent.credentials import Credentials
from webmacs.agent.outbox import Outbox
from webmacs.agent.server_log import ServerLog

START = 1_800_000_000_000_000


def samples(count, event="evt", first=0):
    return [Sample(event, START + number, float(number)) for number in range(first, first + count)]


@pytest.fixture
def run(server, tmp_path):
    """Runs a scenario with an outbox; afterwards the outbox is closed."""

    def _run(scenario, limit=10**6):
        async def work():
            clock = Clock()
            client = Client(
                server.url, Credentials("wm_test", tmp_path / "none"), clock, Patience(pause=0.01, answer=1)
            )
            server_log = ServerLog(client, clock)
            buffer = Buffer(tmp_path / "buffer.db", limit)
            outbox = Outbox(buffer, client, server_log)
            try:
                return await scenario(outbox, buffer, server_log)
            finally:
                await outbox.close()
                await client.close()

        return asyncio.run(work())

    return _run


async def drain(outbox):
    for _ in range(200):
        try:
            if not await outbox.forward(attempts=1):
                return
        except ServerError:
            continue
    pytest.fail("it never ends")


def test_a_long_queue_travels_in_full_batches_in_order(server, run):
    async def scenario(outbox, buffer, _):
        await outbox.add(samples(1203))
        await drain(outbox)
        return buffer.count

    assert run(scenario) == 0
    assert server.batches == [500, 500, 203]
    assert server.values("evt") == [float(number) for number in range(1203)]


def test_times_travel_to_the_microsecond(server, run):
    async def scenario(outbox, *_):
        await outbox.add([Sample("evt", START + 1, 1.5), Sample("evt", START + 1_000_000, 0.1)])
        await drain(outbox)

    run(scenario)
    assert server.points == {("evt", START + 1): 1.5, ("evt", START + 1_000_000): 0.1}


def test_a_lost_answer_doubles_nothing(server, run):
    async def scenario(outbox, buffer, _):
        await outbox.add(samples(20))
        server.fault("batch", times=1, status=None, hang=1.5)
        with pytest.raises(ServerError):
            await outbox.forward(attempts=1)
        assert buffer.count == 20
        await drain(outbox)
        return buffer.count

    assert run(scenario) == 0
    assert server.values("evt") == [float(number) for number in range(20)]


def test_rejected_items_go_to_the_quarantine_and_spoil_nothing(server, run):
    server.unwanted["evt_gone"] = "Event not found."

    async def scenario(outbox, buffer, server_log):
        await outbox.add([*samples(3), *samples(2, "evt_gone"), *samples(3, first=3)])
        await outbox.add(samples(2, "evt_gone", first=2))
        await drain(outbox)
        await server_log.flush(5)
        return buffer.count, buffer.quarantined()

    count, aside = run(scenario)
    assert count == 0
    assert server.values("evt") == [0, 1, 2, 3, 4, 5]
    assert aside == [(sample, "Event not found.") for sample in samples(4, "evt_gone")]
    assert [kind for kind, content in server.logs if "evt_gone" in content] == ["warning"]


def test_a_batch_that_is_refused_as_a_whole_is_split_until_the_guilty_item_is_found(server, run):
    server.poison = {13}

    async def scenario(outbox, buffer, _):
        await outbox.add(samples(37))
        await drain(outbox)
        return buffer.count, buffer.quarantined()

    count, aside = run(scenario)
    assert count == 0
    assert [sample for sample, _ in aside] == samples(1, first=13)
    assert "not welcome" in aside[0][1]
    assert server.values("evt") == [float(number) for number in range(37) if number != 13]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500, 503])
def test_refusals_that_are_not_about_the_data_keep_every_sample(server, run, status):
    server.fault("batch", times=1, status=status)

    async def scenario(outbox, buffer, _):
        await outbox.add(samples(5))
        with pytest.raises(ServerError):
            await outbox.forward(attempts=1)
        return buffer.count, buffer.quarantined()

    assert run(scenario) == (5, [])


def test_an_answer_that_is_not_the_servers_is_no_acknowledgement(server, run):
    server.fault("batch", times=1, status=200, body={"hello": "captive portal"})

    async def scenario(outbox, buffer, _):
        await outbox.add(samples(5))
        with pytest.raises(ServerError):
            await outbox.forward(attempts=1)
        return buffer.count

    assert run(scenario) == 5


def test_dropping_at_the_limit_is_said_on_the_server(server, run):
    async def scenario(outbox, buffer, server_log):
        for first in range(0, 40, 10):
            await outbox.add(samples(10, first=first))
        await drain(outbox)
        await server_log.flush(5)
        return buffer.dropped

    assert run(scenario, limit=20) == 20
    assert server.values("evt") == [float(number) for number in range(20, 40)]
    assert [content for _, content in server.logs if "buffer is full" in content]


def test_samples_that_the_disk_refuses_wait_in_memory_and_follow(server, run):
    async def scenario(outbox, buffer, _):
        await outbox.add(samples(1))
        buffer._connection.execute("PRAGMA query_only = ON")
        await outbox.add(samples(5, first=1))
        assert buffer.count == 1
        buffer._connection.execute("PRAGMA query_only = OFF")
        await drain(outbox)
        return buffer.count

    assert run(scenario) == 0
    assert server.values("evt") == [0, 1, 2, 3, 4, 5]


def test_a_log_entry_that_comes_late_says_when_it_was(server, tmp_path):
    now = [START]

    async def work():
        clock = Clock(wall=lambda: now[0])
        client = Client(server.url, Credentials("wm_test", tmp_path / "none"), clock)
        server_log = ServerLog(client, clock)
        server_log.error("x" * 600)
        server_log.info("on time")
        now[0] += 60_000_000
        server_log.warning("now")
        await server_log.flush(5)
        await client.close()

    asyncio.run(work())
    first, second, third = (content for _, content in server.logs)
    assert len(first) == 500
    assert first.endswith("(at 2027-01-15T08:00:00.000000Z)")
    assert second == "on time (at 2027-01-15T08:00:00.000000Z)"
    assert third == "now"
