"""/health: for people, load balancers and clients of the original API."""

from datetime import datetime, timedelta

from tests.make import NOON
from webmacs import __version__


def test_a_healthy_installation_says_so_to_anybody(client_as):
    answer = client_as(None).get("/health")
    assert answer.status_code == 200
    assert set(answer.json) == {"status", "version", "database", "last_datapoint", "uptime_seconds"}
    assert (answer.json["status"], answer.json["database"], answer.json["version"]) == ("ok", "ok", __version__)
    assert answer.json["uptime_seconds"] == round(answer.json["uptime_seconds"], 1) >= 0
    assert client_as(None).get("/health/ready").status_code == 200


def test_the_last_datapoint_is_nothing_then_the_newest(lab, oscar, client_as):
    client = client_as(None)
    assert client.get("/health").json["last_datapoint"] is None
    one, two = lab.event(oscar), lab.event(oscar)
    lab.record(oscar, one, 1.0, at=NOON)
    lab.record(oscar, two, 1.0, at=NOON - timedelta(days=1))
    assert client.get("/health").json["last_datapoint"] == "2026-11-20T12:00:00Z"
    point = client_as(oscar).get("/api/v1/datapoints/latest").json[0]
    assert datetime.fromisoformat(point["timestamp"]) == NOON
    client_as(oscar).delete(f"/api/v1/datapoints/{point['public_id']}")
    assert client.get("/health").json["last_datapoint"] == "2026-11-19T12:00:00Z"


def test_the_version_is_the_same_everywhere(client_as):
    assert client_as(None).get("/openapi.json").json["info"]["version"] == __version__


def test_health_tells_nothing_about_what_is_measured(lab, oscar, client_as):
    lab.record(oscar, lab.event(oscar, name="Secret reactor"), 1.0)
    assert "Secret" not in client_as(None).get("/health").get_data(as_text=True)
