"""`Idempotency-Key`: a POST that is sent again changes nothing and gets the first answer again."""

import threading
from datetime import timedelta

import pytest
import time_machine

from tests.make import Api
from webmacs.api import idempotency
from webmacs.core import clock

from . import approved
from .bodies import body_for
from .world import declared, one_of_each

EXPERIMENTS = "/api/v1/experiments"


def _key(key):
    return {"headers": {"Idempotency-Key": key}}


def _repeatable(app):
    exempt = approved.UNREPEATABLE | approved.QUESTIONS
    posts = [r for r in declared(app) if r.edge.kind == "api" and r.method == "POST" and r.name not in exempt]
    return [r for r in posts if not r.edge.uploads]  # files are their features' own tests


def test_every_post_can_be_repeated(app, lab, ada, client_as, fingerprint):
    client = client_as(ada)
    assert len(_repeatable(app)) >= 6
    for number, route in enumerate(_repeatable(app)):
        named = one_of_each(lab, ada, number)
        path, body = route.path(named), None if route.edge.body is None else body_for(route.edge.body, named)
        first = client.post(path, body, **_key("again"))
        assert first.status_code == 201, (route.name, first.json)
        assert "Idempotent-Replayed" not in first.headers
        before = fingerprint()
        second = client.post(path, body, **_key("again"))
        assert (second.status_code, second.json) == (201, first.json), route.name
        assert second.headers["Idempotent-Replayed"] == "true"
        assert fingerprint() == before, route.name


def test_another_key_is_another_request(ada, client_as):
    client = client_as(ada)
    assert client.post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code == 201
    assert client.post(EXPERIMENTS, {"name": "Run"}, **_key("b")).status_code == 409


def test_a_key_belongs_to_its_user_and_its_path(ada, oscar, client_as):
    assert client_as(ada).post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code == 201
    assert client_as(oscar).post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code == 409
    assert (
        client_as(ada).post("/api/v1/logging", {"content": "Run"}, **_key("a")).json["message"].startswith("LogEntry")
    )


def test_the_same_key_with_another_body_is_refused(ada, client_as):
    client = client_as(ada)
    client.post(EXPERIMENTS, {"name": "Run 1"}, **_key("a"))
    refused = client.post(EXPERIMENTS, {"name": "Run 2"}, **_key("a"))
    assert refused.status_code == 422
    assert "Idempotency-Key" in refused.json["detail"][0]["msg"]
    assert client.get(EXPERIMENTS).json["total"] == 1


def test_a_refused_request_is_not_remembered(lab, ada, client_as):
    client = client_as(ada)
    run = lab.experiment(ada, "Run")
    assert client.post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code == 409
    client.delete(f"{EXPERIMENTS}/{run.public_id}")
    assert client.post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code == 201


@pytest.mark.parametrize("key", ["x" * 256, "x" * 5000])
def test_a_key_has_limits(ada, client_as, key):
    answer = client_as(ada).post(EXPERIMENTS, {"name": "Run"}, **_key(key))
    assert answer.status_code == 422
    assert client_as(ada).get(EXPERIMENTS).json["total"] == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "ü", "'; --", "0"])
def test_a_key_is_any_text(ada, client_as, key):
    client = client_as(ada)
    answers = [client.post(EXPERIMENTS, {"name": "Run"}, **_key(key)) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]


def test_a_key_is_kept_for_two_days(app, ada, client_as):
    client = client_as(ada)
    client.post(EXPERIMENTS, {"name": "Run"}, **_key("a"))
    for days, status in ((1, 201), (3, 409)):
        with time_machine.travel(clock.now() + timedelta(days=days, seconds=-60), tick=False):
            with app.app_context(), idempotency.db.session.begin():
                idempotency.forget_old()
            assert _again(app, ada, days) == status


def _again(app, ada, days):
    # the login in use ends after a day: a new one
    client = Api(app)
    token = client.post("/api/v1/auth/login", {"email": ada.email, "password": "correct horse battery"}).json
    client.bearer = token["access_token"]
    return client.post(EXPERIMENTS, {"name": "Run"}, **_key("a")).status_code


def test_get_put_and_delete_do_not_mind_a_key(lab, ada, client_as):
    client, run = client_as(ada), lab.experiment(ada, "Run")
    path = f"{EXPERIMENTS}/{run.public_id}"
    for _ in range(2):
        assert client.get(path, **_key("a")).status_code == 200
        assert client.put(path, {"name": "Run 2"}, **_key("a")).status_code == 200
    assert client.put(f"{path}/stop", **_key("a")).status_code == 200
    assert client.put(f"{path}/stop", **_key("a")).status_code == 409


def _at_once(app, ada, count, path, body, key):
    """Send the same request from several threads at the same moment; the answers."""
    barrier, answers = threading.Barrier(count), []

    def send():
        client = Api(app, ada.bearer)
        barrier.wait()
        answers.append(client.post(path, body, **_key(key)))

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == count
    return answers


def test_of_many_at_the_same_moment_one_is_carried_out(app, ada, client_as):
    for number in range(5):
        answers = _at_once(app, ada, 6, EXPERIMENTS, {"name": f"Run {number}"}, f"key {number}")
        assert [a.status_code for a in answers] == [201] * 6
        assert len({a.get_data() for a in answers}) == 1
        assert sum("Idempotent-Replayed" not in a.headers for a in answers) == 1
    assert client_as(ada).get(EXPERIMENTS).json["total"] == 5


def test_of_many_refused_at_the_same_moment_none_is_remembered(app, lab, ada, client_as):
    lab.experiment(ada, "Run")
    answers = _at_once(app, ada, 6, EXPERIMENTS, {"name": "Run"}, "key")
    assert [a.status_code for a in answers] == [409] * 6
    assert all("Idempotent-Replayed" not in a.headers for a in answers)


def test_values_that_are_sent_twice_at_the_same_moment_are_recorded_once(app, lab, ada, client_as):
    event = lab.event(ada)
    batch = {"datapoints": [{"event_public_id": event.public_id, "value": n} for n in range(50)]}
    answers = _at_once(app, ada, 4, "/api/v1/datapoints/batch", batch, "key")
    assert [a.json["accepted"] for a in answers] == [50] * 4
    assert client_as(ada).get("/api/v1/datapoints").json["total"] == 50
