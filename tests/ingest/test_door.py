"""The fast doors: what they answer themselves, that it is what the endpoints answer, and what they leave to them."""

import asyncio
import json
import threading

import pytest
import time_machine

from tests.make import Api
from webmacs.core import clock
from webmacs.core.errors import Unavailable
from webmacs.features.datapoints.admit import Admitted
from webmacs.features.datapoints.store import Row
from webmacs.ingest import writer as writers
from webmacs.ingest.door import BATCH, SINGLE

ME = "/api/v1/auth/me"


def _points(client, event):
    data = client.get(SINGLE, query_string={"event_public_id": event.public_id, "page_size": 100}).json["data"]
    return [(point["timestamp"], point["value"]) for point in data]


def test_a_value_is_recorded_and_answered_like_by_the_endpoint(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    answer = doors.answer(SINGLE, {"event_public_id": event.public_id, "value": 21.5}, known(oscar))
    assert answer is not None
    said = json.loads(answer.body)
    ordinary = client_as(oscar).post(SINGLE, {"event_public_id": event.public_id, "value": 21.5})
    assert (answer.status, list(said)) == (ordinary.status_code, list(ordinary.json))
    assert client_as(oscar).get(f"{SINGLE}/{said['public_id']}").json["value"] == 21.5
    assert {k: v for k, v in said.items() if k != "public_id"} == {
        k: v for k, v in ordinary.json.items() if k != "public_id"
    }


def test_the_headers_are_those_of_the_endpoint(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    body = {"event_public_id": event.public_id, "value": 1}
    answer = doors.answer(SINGLE, body, known(oscar))
    assert answer is not None
    ordinary = client_as(oscar).post(SINGLE, body)
    given = {name.decode(): value.decode() for name, value in answer.headers}
    expected = {name.lower(): value for name, value in ordinary.headers}
    del expected["vary"]  # the endpoint looks at the cookie, too
    assert set(given) == set(expected)
    changing = {"x-request-id", "content-length"}
    assert {k: v for k, v in given.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }


@pytest.mark.parametrize(
    "stamps",
    [
        (None, None, None),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00+02:00", "2026-11-20T12:00:00.000001"),
        (1_763_640_000, 1_763_640_000_500, 1_763_640_001.25),
    ],
    ids=["untimed", "iso", "epoch"],
)
def test_a_batch_is_recorded_and_answered_like_by_the_endpoint(doors, lab, oscar, known, client_as, stamps):
    one, two = lab.event(oscar), lab.event(oscar)

    def batch(event):
        return {
            "datapoints": [
                {"event_public_id": event.public_id, "value": n, **({} if stamp is None else {"timestamp": stamp})}
                for n, stamp in enumerate(stamps)
            ]
        }

    answer = doors.answer(BATCH, batch(one), known(oscar))
    assert answer is not None
    ordinary = client_as(oscar).post(BATCH, batch(two))
    assert (answer.status, json.loads(answer.body)) == (ordinary.status_code, ordinary.json)
    fast, slow = _points(client_as(oscar), one), _points(client_as(oscar), two)
    assert [value for _, value in fast] == [value for _, value in slow]
    if stamps[0] is not None:
        assert fast == slow


def test_what_is_recorded_is_the_newest(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    values = [{"event_public_id": event.public_id, "value": n} for n in (3, 1, 2)]
    assert doors.answer(BATCH, {"datapoints": values}, known(oscar)).status == 201
    newest = client_as(oscar).get("/api/v1/datapoints/latest").json
    assert [(point["event_public_id"], point["value"]) for point in newest] == [(event.public_id, 2)]


def test_a_channel_whose_instance_is_off_is_rejected_in_a_batch(doors, lab, ada, known, client_as):
    instance = lab.instance(ada, enabled=False)
    free, shut = lab.event(ada), lab.event(ada)
    lab.mapping(ada, instance, event_public_id=shut.public_id)
    body = {"datapoints": [{"event_public_id": e.public_id, "value": 1} for e in (shut, free)]}
    answer = doors.answer(BATCH, body, known(ada))
    assert answer is not None
    assert json.loads(answer.body) == client_as(ada).post(BATCH, body).json
    assert doors.answer(SINGLE, {"event_public_id": shut.public_id, "value": 1}, known(ada)) is None


def test_many_senders_at_once_are_each_recorded_once(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    bodies = [
        {"datapoints": [{"event_public_id": event.public_id, "value": sender * 10 + n} for n in range(3)]}
        for sender in range(30)
    ]
    answers = doors.answers(BATCH, bodies, known(oscar))
    assert [answer.status for answer in answers] == [201] * 30
    points = _points(client_as(oscar), event)
    assert sorted(value for _, value in points) == sorted(sender * 10 + n for sender in range(30) for n in range(3))
    assert len({moment for moment, _ in points}) == 90


def test_the_same_batch_at_once_and_again_is_recorded_once(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    values = [{"event_public_id": event.public_id, "value": n, "timestamp": 1_763_640_000 + n} for n in range(20)]
    for answers in (doors.answers(BATCH, [{"datapoints": values}] * 8, known(oscar)) for _ in range(2)):
        assert {answer.status for answer in answers} == {201}
    assert len(_points(client_as(oscar), event)) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a":' * 5000,
        {"datapoints": None},
        {"datapoints": [None]},
        {"datapoints": [{"event_public_id": "evt_unknown", "value": 1}]},
        {"datapoints": [{"event_public_id": "{known}", "value": "21.5"}]},
        {"datapoints": [{"event_public_id": "{known}", "value": True}]},
        b'{"datapoints": [{"event_public_id": "{known}", "value": NaN}]}',
        b'{"datapoints": [{"event_public_id": "{known}", "value": 1e999}]}',
        {"datapoints": [{"event_public_id": "{known}", "value": 1, "timestamp": "noon"}]},
        {"datapoints": [{"event_public_id": "{known}", "value": 1, "timestamp": -1}]},
        {"datapoints": [{"event_public_id": "{known}", "value": 1}] * 501},
    ],
    ids=range(14),
)
def test_whatever_does_not_fit_is_left_to_the_endpoint(doors, lab, oscar, known, client_as, body):
    event = lab.event(oscar)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert doors.answer(BATCH, raw.replace(b"{known}", event.public_id.encode()), known(oscar)) is None
    assert _points(client_as(oscar), event) == []


def test_a_key_of_idempotency_is_left_to_the_endpoint(doors, lab, oscar, known):
    body = {"event_public_id": lab.event(oscar).public_id, "value": 1}
    assert doors.answer(SINGLE, body, known(oscar), idempotency_key="once") is None


def test_only_credentials_that_are_known_and_may_record_pass(doors, lab, ada, oscar, vera, known):
    body = {"event_public_id": lab.event(ada).public_id, "value": 1}
    assert doors.answer(SINGLE, body) is None
    assert doors.answer(SINGLE, body, oscar.bearer) is None  # valid, but not asked for yet
    assert doors.answer(SINGLE, body, known(vera)) is None
    assert doors.answer(SINGLE, body, known(oscar)) is not None


def test_a_channel_of_another_organization_is_unknown(doors, lab, ada, eve, known, client_as):
    event = lab.event(ada)
    assert doors.answer(SINGLE, {"event_public_id": event.public_id, "value": 1}, known(eve)) is None
    assert _points(client_as(ada), event) == []


def test_a_deleted_token_ends_at_once(doors, app, lab, oscar, client_as):
    token, secret = lab.token(oscar)
    body = {"event_public_id": lab.event(oscar).public_id, "value": 1}
    assert Api(app, secret).get(ME).status_code == 200
    assert doors.answer(SINGLE, body, secret) is not None
    assert client_as(oscar).delete(f"/api/v1/tokens/{token.public_id}").status_code == 200
    assert doors.answer(SINGLE, body, secret) is None
    assert Api(app, secret).get(ME).status_code == 401


def test_a_signed_out_login_ends_at_once(doors, lab, oscar, known, client_as):
    body = {"event_public_id": lab.event(oscar).public_id, "value": 1}
    token = known(oscar)
    assert client_as(oscar).post("/api/v1/auth/logout").status_code == 200
    assert doors.answer(SINGLE, body, token) is None


def test_a_full_writer_says_when_to_come_again(doors, lab, oscar, known, monkeypatch, client_as):
    event = lab.event(oscar)
    monkeypatch.setattr(writers, "MOST_WAITING", 2)
    values = [{"event_public_id": event.public_id, "value": n} for n in range(3)]
    answer = doors.answer(BATCH, {"datapoints": values}, known(oscar))
    assert answer.status == 503
    assert dict(answer.headers)[b"retry-after"] == b"1"
    assert "detail" in json.loads(answer.body)
    assert _points(client_as(oscar), event) == []
    assert doors.answer(BATCH, {"datapoints": values[:2]}, known(oscar)).status == 201


def test_a_load_that_cannot_be_written_does_not_spoil_its_neighbours(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    names = {event.id: event.public_id}
    good = doors.writer.write(oscar.actor.organization_id, names, _admitted((event.id, 1_000_000, 1.0)))
    bad = doors.writer.write(oscar.actor.organization_id, names, _admitted((event.id, 2**80, 2.0)))

    async def both():
        return await asyncio.gather(good, bad, return_exceptions=True)

    results = doors.loop.run_until_complete(both())
    assert results[0] == []
    assert isinstance(results[1], Unavailable)
    assert [value for _, value in _points(client_as(oscar), event)] == [1.0]


def _admitted(row):
    return Admitted([Row(*row)], [], {})


def test_a_stale_memory_is_not_believed(doors, lab, oscar, known, monkeypatch):
    body = {"event_public_id": lab.event(oscar).public_id, "value": 1}
    token = known(oscar)
    with time_machine.travel(clock.now().timestamp() + 5, tick=False):
        assert doors.answer(SINGLE, body, token) is None


def test_a_value_waits_for_its_turn_while_a_page_writes(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    token = known(oscar)
    holds, may_end = threading.Event(), threading.Event()

    def write_a_page():
        with lab.arrival():
            lab.log(oscar, "A page is writing.")
            holds.set()
            assert may_end.wait(20)

    page = threading.Thread(target=write_a_page)
    page.start()
    assert holds.wait(20)

    async def meanwhile():
        await doors.directory.now()
        body = json.dumps({"event_public_id": event.public_id, "value": 1}).encode()
        asking = asyncio.create_task(doors.door.answer(SINGLE, [(b"authorization", f"Bearer {token}".encode())], body))
        for _ in range(20):  # the loop goes on: it is not the one that waits
            await asyncio.sleep(0)
        may_end.set()
        return await asking

    answer = doors.loop.run_until_complete(meanwhile())
    page.join()
    assert answer.status == 201
    assert len(_points(client_as(oscar), event)) == 1


def test_values_that_are_on_their_way_are_written_before_the_end(doors, lab, oscar, known, client_as):
    event = lab.event(oscar)
    token = known(oscar)

    async def end():
        await doors.directory.now()
        body = json.dumps({"event_public_id": event.public_id, "value": 1}).encode()
        headers = [(b"authorization", f"Bearer {token}".encode())]
        asking = [asyncio.create_task(doors.door.answer(SINGLE, headers, body)) for _ in range(5)]
        await asyncio.sleep(0)
        await doors.writer.close()
        return await asyncio.gather(*asking)

    answers = doors.loop.run_until_complete(end())
    assert [answer.status for answer in answers] == [201] * 5
    assert len(_points(client_as(oscar), event)) == 5
