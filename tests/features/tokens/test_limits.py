"""What a token can be limited to, and that it is never more than its owner."""

from datetime import timedelta

import pytest

from tests.make import Api
from webmacs.core import clock

TOKENS = "/api/v1/tokens"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def api_with(lab, app):
    def make(who, **limits):
        return Api(app, lab.token(who, **limits)[1])

    return make


def test_a_token_for_values_sends_values_and_nothing_else(lab, ada, api_with):
    event, api = lab.event(ada), api_with(ada, scopes=["ingest"])
    value = {"event_public_id": event.public_id, "value": 1.0}
    assert api.post("/api/v1/datapoints", value).status_code == 201
    refused = api.get("/api/v1/events")
    assert (refused.status_code, refused.json["detail"]) == (403, "This API token does not cover the scope 'read'.")
    assert api.post(TOKENS, {"name": "More"}).status_code == 403


def test_a_token_for_values_commands_no_output(lab, ada, api_with):
    heater, api = lab.event(ada, type="actuator"), api_with(ada, scopes=["ingest", "read"])
    value = {"event_public_id": heater.public_id, "value": 1.0}
    assert api.post("/api/v1/datapoints", value).status_code == 404
    assert api.post("/api/v1/datapoints/batch", {"datapoints": [value]}).json["accepted"] == 0
    assert api_with(ada, scopes=["ingest", "control"]).post("/api/v1/datapoints", value).status_code == 201


def test_a_scope_gives_nothing_that_the_owner_may_not(vera, api_with):
    refused = api_with(vera, scopes=["read", "write", "admin-users"]).get("/api/v1/users")
    assert (refused.status_code, refused.json["detail"]) == (403, "Admin privileges required.")


def test_a_limited_token_cannot_make_an_unlimited_one(lab, ada, api_with):
    api = api_with(ada, scopes=["account", "read"])
    for scopes in (None, ["read", "admin-users"]):
        refused = api.post(TOKENS, {"name": "More", "scopes": scopes})
        assert refused.status_code == 422
        assert "more than itself" in refused.get_data(as_text=True)
    made = api.post(TOKENS, {"name": "Less", "scopes": ["read"]})
    assert made.status_code == 201


def test_a_token_makes_none_that_counts_longer_or_elsewhere(lab, ada, app):
    until = clock.now() + timedelta(hours=1)
    api = Api(app, lab.token(ada, networks=["10.0.0.0/8"], expires_at=until)[1])

    def make(**limits):
        here = {"REMOTE_ADDR": "10.1.2.3"}
        return api.post(TOKENS, {"name": "More", **limits}, environ_base=here).status_code

    assert make(networks=["10.0.0.0/8", "192.168.1.1"], expires_at=until.isoformat()) == 422
    assert make(expires_at=until.isoformat()) == 422
    assert make(networks=["10.1.0.0/16"]) == 422
    assert make(networks=["10.1.0.0/16"], expires_at=(until + timedelta(minutes=1)).isoformat()) == 422
    assert make(networks=["10.1.0.0/16"], expires_at=until.isoformat()) == 201


def test_a_token_for_a_channel_sees_that_channel_alone(lab, ada, api_with):
    mine, other = lab.event(ada), lab.event(ada)
    for event in (mine, other):
        lab.record(ada, event, 1.0)
    api = api_with(ada, events=[mine.public_id])
    assert [e["public_id"] for e in api.get("/api/v1/events").json["data"]] == [mine.public_id]
    assert [p["event_public_id"] for p in api.get("/api/v1/datapoints/latest").json] == [mine.public_id]
    assert {p["event_public_id"] for p in api.get("/api/v1/datapoints").json["data"]} == {mine.public_id}
    assert api.get(f"/api/v1/events/{other.public_id}").status_code == 404
    series = api.post("/api/v1/datapoints/series", {"event_public_ids": [other.public_id], "minutes": 5})
    assert not any(series.json.values())
    values = [{"event_public_id": event.public_id, "value": 2.0} for event in (mine, other)]
    answer = api.post("/api/v1/datapoints/batch", {"datapoints": values}).json
    assert (answer["accepted"], [item["index"] for item in answer["rejected"]]) == (1, [1])
    assert api.post("/api/v1/datapoints", values[1]).status_code == 404


def test_a_token_for_a_channel_is_refused_where_channels_are_not_looked_at(lab, ada, api_with):
    event, run = lab.event(ada), lab.experiment(ada)
    api = api_with(ada, events=[event.public_id])
    for path in ("/api/v1/experiments", f"/api/v1/experiments/{run.public_id}/export/csv", "/api/v1/logging", "/data"):
        assert api.get(path).status_code == 403, path


def test_a_token_counts_only_in_its_networks(lab, ada, app):
    secret = lab.token(ada, networks=["192.168.7.0/24", "::1"])[1]
    api = Api(app, secret)

    def ask(address):
        return api.get("/api/v1/events", environ_base={"REMOTE_ADDR": address})

    assert ask("192.168.7.9").status_code == 200
    assert ask("::ffff:192.168.7.9").status_code == 200
    assert ask("::1").status_code == 200
    refused = ask(ELSEWHERE)
    assert (refused.status_code, refused.json["detail"]) == (401, "This API token cannot be used from here.")
    assert ask("192.168.7.9").status_code == 200


@pytest.mark.parametrize(
    "limits",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"networks": ["300.1.1.1"]},
        {"networks": []},
        {"events": []},
        {"events": [""]},
    ],
)
def test_limits_that_mean_nothing_are_refused(ada, client_as, limits):
    assert client_as(ada).post(TOKENS, {"name": "Script", **limits}).status_code == 422


def test_the_page_makes_a_limited_token(lab, ada, browser_as, app):
    form = browser_as(ada).visit("/profile/tokens").form("/profile/tokens")
    page = form.submit(name="Script", scopes=["ingest"], networks="10.0.0.0/8, 192.168.1.5")
    assert page.status_code == 200
    shown = browser_as(ada).visit("/profile/tokens").text
    assert "ingest" in shown
    assert "192.168.1.5/32" in shown
