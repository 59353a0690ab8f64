"""`Idempotency-Key`: a retry changes nothing and gets the first answer, whatever happened in between."""

import threading

from tests.make import Api
from webmacs.api import idempotency

EXPERIMENTS, DATAPOINTS = "/api/v1/experiments", "/api/v1/datapoints"


def _keyed(client, path, body, key="k1"):
    return client.post(path, body, headers={"Idempotency-Key": key})


def test_a_retry_gets_the_first_answer_and_makes_nothing(oscar, client_as):
    client = client_as(oscar)
    first, again = (_keyed(client, EXPERIMENTS, {"name": "Run 1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.get(EXPERIMENTS).json["total"] == 1


def test_another_key_another_user_and_another_path_are_another_matter(oscar, ada, lab, client_as):
    event = lab.event(oscar)
    body = {"value": 1, "event_public_id": event.public_id}
    made = [
        _keyed(client_as(oscar), DATAPOINTS, body),
        _keyed(client_as(oscar), DATAPOINTS, body, "k2"),
        _keyed(client_as(ada), DATAPOINTS, body),
    ]
    assert len({answer.json["public_id"] for answer in made}) == 3
    assert _keyed(client_as(oscar), f"{DATAPOINTS}/batch", {"datapoints": [body]}).json["accepted"] == 1


def test_a_key_with_another_body_is_refused(oscar, client_as):
    client = client_as(oscar)
    _keyed(client, EXPERIMENTS, {"name": "Run 1"})
    assert _keyed(client, EXPERIMENTS, {"name": "Run 2"}).status_code == 422
    assert client.get(EXPERIMENTS).json["total"] == 1


def test_a_refused_attempt_uses_no_key_up(oscar, client_as):
    client = client_as(oscar)
    taken = client.post(EXPERIMENTS, {"name": "Run 1"}).json["public_id"]
    assert _keyed(client, EXPERIMENTS, {"name": "Run 1"}).status_code == 409
    client.delete(f"{EXPERIMENTS}/{taken}")
    assert _keyed(client, EXPERIMENTS, {"name": "Run 1"}).status_code == 201


def test_a_key_has_a_length_and_a_secret_is_not_kept(oscar, client_as):
    client = client_as(oscar)
    assert _keyed(client, EXPERIMENTS, {"name": "Run 1"}, "x" * 256).status_code == 422
    one, two = (_keyed(client, "/api/v1/tokens", {"name": "CI"}) for _ in range(2))
    assert one.json["token"] != two.json["token"]


def test_concurrent_retries_act_once(app, oscar, lab, client_as):
    event = lab.event(oscar)
    barrier = threading.Barrier(6)
    answers = []

    def push():
        barrier.wait()
        answers.append(_keyed(Api(app, oscar.bearer), DATAPOINTS, {"value": 1, "event_public_id": event.public_id}))

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["public_id"] for answer in answers}) == 1
    assert client_as(oscar).get(f"{DATAPOINTS}?event_public_id={event.public_id}").json["total"] == 1


def test_old_answers_are_forgotten(oscar, lab, client_as, monkeypatch):
    client = client_as(oscar)
    _keyed(client, "/api/v1/logging", {"content": "once"})
    with lab.arrival():
        idempotency.forget_old()
    _keyed(client, "/api/v1/logging", {"content": "once"})
    assert client.get("/api/v1/logging").json["total"] == 1
    monkeypatch.setattr(idempotency, "KEEP", idempotency.KEEP * 0)
    with lab.arrival():
        idempotency.forget_old()
    _keyed(client, "/api/v1/logging", {"content": "once"})
    assert client.get("/api/v1/logging").json["total"] == 2
