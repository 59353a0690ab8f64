"""Facts and what follows from them: inside the cause's transaction, or after it, never instead of it."""

import json
from dataclasses import dataclass

import pytest
from redis import Redis

from webmacs.core.db import emit
from webmacs.core.facts import Fact, Wiring, reactions
from webmacs.features.datapoints import operations
from webmacs.features.datapoints.admit import Reading
from webmacs.wiring import WIRING


@dataclass(frozen=True)
class KettleBoiled(Fact):
    """The water is ready."""

    degrees: float


@pytest.fixture
def wired():
    """Install a wiring for one test."""
    yield lambda inside=(), after=(): reactions.install(Wiring({KettleBoiled: inside}, {KettleBoiled: after}))
    reactions.install(WIRING)


def test_a_reaction_inside_runs_before_one_after_and_both_once(lab, wired):
    seen = []
    wired(inside=(lambda fact: seen.append(("inside", fact)),), after=(lambda fact: seen.append(("after", fact)),))
    with lab.arrival():
        emit(KettleBoiled(1, 100.0))
        assert seen == [("inside", KettleBoiled(1, 100.0))]
    assert seen == [("inside", KettleBoiled(1, 100.0)), ("after", KettleBoiled(1, 100.0))]


def test_what_is_undone_has_no_reactions_after_it(lab, wired):
    seen = []
    wired(after=(seen.append,))

    def boil_dry():
        with lab.arrival():
            emit(KettleBoiled(1, 100.0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        boil_dry()
    with lab.arrival(write=False):
        emit(KettleBoiled(1, 100.0))
    assert seen == []


def test_a_reaction_after_the_fact_that_fails_harms_nobody(lab, wired):
    seen = []

    def fail(fact):
        raise RuntimeError("a broken reaction")

    wired(after=(fail, seen.append))
    with lab.arrival():
        emit(KettleBoiled(1, 100.0))
    assert seen == [KettleBoiled(1, 100.0)]


def test_a_reaction_inside_that_fails_undoes_its_cause(lab, ada, wired, client_as):
    def fail(fact):
        raise RuntimeError("no")

    wired(inside=(fail,))

    def boil():
        with lab.arrival():
            lab.event(ada)
            emit(KettleBoiled(1, 100.0))

    with pytest.raises(RuntimeError):
        boil()
    assert client_as(ada).get("/api/v1/events").json["total"] == 0


def test_values_are_published_after_they_are_committed(site, lab, ada):
    one, two = lab.event(ada), lab.event(ada)
    with Redis.from_url(site.redis) as redis, redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("live:*")
        listener.get_message(timeout=1)
        with lab.arrival():
            batch = [
                Reading(one.public_id, 1.0, 2_000_000),
                Reading(one.public_id, 2.0, 1_000_000),
                Reading(two.public_id, 3.0),
            ]
            operations.record(ada.actor, batch)
            assert listener.get_message(timeout=0.1) is None
        message = listener.get_message(timeout=5)
    assert message is not None
    assert message["channel"].decode() == f"live:{ada.actor.organization_id}"
    values = json.loads(message["data"])["values"]
    newest = {"event": one.public_id, "value": 1.0, "time": "1970-01-01T00:00:02Z", "experiment": None}
    assert next(value for value in values if value["event"] == one.public_id) == newest
    assert [value["value"] for value in values if value["event"] == two.public_id] == [3.0]


def test_ending_somebodys_access_makes_their_streams_ask_again(site, lab, ada, vera, client_as):
    with Redis.from_url(site.redis) as redis, redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("live:*")
        listener.get_message(timeout=1)
        client_as(ada).put(f"/api/v1/users/{vera.public_id}", {"role": "operator"})
        message = listener.get_message(timeout=5)
    assert message is not None
    assert json.loads(message["data"])["recheck"] == vera.actor.user_id
