"""Plugin instances: their channels, what their events may take, and that nothing is lost with them."""

import pytest

from webmacs.features.plugins import models

PLUGINS, EVENTS, DATAPOINTS = "/api/v1/plugins", "/api/v1/events", "/api/v1/datapoints"
PLANT = {"plugin_id": "simulated", "instance_name": "Bed A", "demo_mode": True}


def _create(client, **fields):
    answer = client.post(PLUGINS, PLANT | fields)
    assert (answer.status_code, answer.json["message"]) == (201, "Plugin instance created."), answer.json
    return client.get(f"{PLUGINS}/{answer.json['public_id']}").json


def _mapping(instance, channel_id):
    return next(m for m in instance["channel_mappings"] if m["channel_id"] == channel_id)


def test_an_instance_brings_its_channels_and_their_events(ada, client_as):
    client = client_as(ada)
    instance = _create(client)
    bed, heater = _mapping(instance, "temp_reactor"), _mapping(instance, "heater_power")
    sensor = client.get(f"{EVENTS}/{bed['event_public_id']}").json
    output = client.get(f"{EVENTS}/{heater['event_public_id']}").json
    assert (sensor["name"], sensor["type"], sensor["unit"]) == (f"Bed A – {bed['channel_name']}", "sensor", "°C")
    assert (sensor["min_value"], sensor["max_value"]) == (20.0, 500.0)
    assert (output["type"], heater["direction"]) == ("actuator", "output")


def test_without_events_the_channels_stay_unlinked(ada, client_as):
    instance = _create(client_as(ada), auto_create_events=False)
    assert instance["channel_mappings"]
    assert {m["event_public_id"] for m in instance["channel_mappings"]} == {None}
    assert client_as(ada).get(EVENTS).json["total"] == 0


def test_an_event_of_that_name_is_used_again(ada, client_as):
    client = client_as(ada)
    first = _create(client)
    client.delete(f"{PLUGINS}/{first['public_id']}")
    second = _create(client)
    assert _mapping(first, "temp_reactor")["event_public_id"] == _mapping(second, "temp_reactor")["event_public_id"]


def test_a_driver_that_is_not_installed_makes_an_instance_without_channels(ada, client_as):
    assert _create(client_as(ada), plugin_id="ghost")["channel_mappings"] == []


@pytest.mark.parametrize("config", ["{", "[1]", "7", '{"poll_interval_ms": 1}', {"poll_interval_ms": "soon"}])
def test_a_configuration_that_cannot_work_is_refused_and_nothing_is_made(ada, client_as, config):
    client = client_as(ada)
    answer = client.post(PLUGINS, PLANT | {"config_json": config})
    assert answer.status_code == 422
    assert answer.json["detail"][0]["loc"] == ["body", "config_json"]
    assert (client.get(PLUGINS).json["total"], client.get(EVENTS).json["total"]) == (0, 0)


def test_a_configuration_may_be_an_object_or_its_text(ada, client_as):
    client = client_as(ada)
    one = _create(client, config_json={"poll_interval_ms": 500})
    two = _create(client, instance_name="Bed B", config_json='{ "poll_interval_ms":500 }')
    assert one["config_json"] == two["config_json"] == '{"poll_interval_ms": 500}'


def test_a_disabled_instance_lets_its_events_take_nothing(ada, client_as):
    client = client_as(ada)
    instance = _create(client)
    event = _mapping(instance, "temp_reactor")["event_public_id"]
    client.put(f"{PLUGINS}/{instance['public_id']}", {"enabled": False})
    single = client.post(DATAPOINTS, {"value": 1, "event_public_id": event})
    assert (single.status_code, "enabled plugin instance" in single.json["detail"]) == (409, True)
    batch = client.post(f"{DATAPOINTS}/batch", {"datapoints": [{"value": 1, "event_public_id": event}]})
    assert (batch.status_code, batch.json["accepted"]) == (201, 0)
    assert batch.json["rejected"] == [{"index": 0, "reason": "event is not linked to an enabled plugin instance"}]
    client.put(f"{PLUGINS}/{instance['public_id']}", {"enabled": True})
    assert client.post(DATAPOINTS, {"value": 1, "event_public_id": event}).status_code == 201


def test_one_enabled_instance_of_two_is_enough(ada, lab, client_as):
    client, event = client_as(ada), lab.event(ada)
    on, off = lab.instance(ada), lab.instance(ada)
    lab.mapping(ada, on, event)
    lab.mapping(ada, off, event)
    client.put(f"{PLUGINS}/{off.public_id}", {"enabled": False})
    assert client.post(DATAPOINTS, {"value": 1, "event_public_id": event.public_id}).status_code == 201
    client.delete(f"{PLUGINS}/{on.public_id}")
    assert client.post(DATAPOINTS, {"value": 1, "event_public_id": event.public_id}).status_code == 409
    client.delete(f"{PLUGINS}/{off.public_id}")
    assert client.post(DATAPOINTS, {"value": 1, "event_public_id": event.public_id}).status_code == 201


def test_deleting_an_instance_loses_no_data(ada, client_as):
    client = client_as(ada)
    instance = _create(client)
    event = _mapping(instance, "temp_reactor")["event_public_id"]
    client.post(DATAPOINTS, {"value": 21, "event_public_id": event})
    assert client.delete(f"{PLUGINS}/{instance['public_id']}").status_code == 200
    assert client.get(f"{PLUGINS}/{instance['public_id']}").status_code == 404
    assert [point["value"] for point in client.get(f"{DATAPOINTS}/latest").json] == [21]


def test_purging_takes_only_what_the_instance_alone_made_and_uses(ada, lab, client_as):
    client = client_as(ada)
    instance = _create(client)
    by_hand, other = lab.event(ada, name="Made by hand"), lab.instance(ada)
    ours, shared = _mapping(instance, "temp_reactor"), _mapping(instance, "temp_inlet")
    linked = _mapping(instance, "humidity")
    client.put(
        f"{PLUGINS}/{instance['public_id']}/channels/{linked['public_id']}", {"event_public_id": by_hand.public_id}
    )
    link = {"channel_id": "x", "channel_name": "X", "direction": "input", "unit": "°C"}
    client.post(f"{PLUGINS}/{other.public_id}/channels", link | {"event_public_id": shared["event_public_id"]})
    assert client.delete(f"{PLUGINS}/{instance['public_id']}?purge=true").status_code == 200
    left = {event["public_id"] for event in client.get(f"{EVENTS}?page_size=100").json["data"]}
    assert ours["event_public_id"] not in left
    assert left == {by_hand.public_id, shared["event_public_id"], linked["event_public_id"]}


def test_a_channel_is_changed_only_through_its_own_instance(ada, lab, client_as):
    client = client_as(ada)
    mine, other, event = lab.instance(ada), lab.instance(ada), lab.event(ada)
    mapping = lab.mapping(ada, mine)
    wrong, right = (f"{PLUGINS}/{i.public_id}/channels/{mapping.public_id}" for i in (other, mine))
    for answer in (client.put(wrong, {"event_public_id": event.public_id}), client.delete(wrong)):
        assert (answer.status_code, answer.json["detail"]) == (404, f"Channel mapping '{mapping.public_id}' not found.")
    assert client.put(right, {"event_public_id": "evt_nothing"}).json == {"detail": "Event not found."}
    assert client.put(right, {"event_public_id": event.public_id}).status_code == 200
    assert client.put(right, {"event_public_id": None}).status_code == 200
    assert client.get(f"{PLUGINS}/{mine.public_id}/channels").json[0]["event_public_id"] is None
    assert client.delete(right).status_code == 200
    assert client.get(f"{PLUGINS}/{mine.public_id}/channels").json == []


def test_a_duplicate_channel_is_refused(ada, lab, client_as):
    instance = lab.instance(ada)
    url, new = (
        f"{PLUGINS}/{instance.public_id}/channels",
        {
            "channel_id": "custom",
            "channel_name": "Custom",
            "direction": "input",
            "unit": "mV",
        },
    )
    assert client_as(ada).post(url, new).status_code == 201
    assert client_as(ada).post(url, new).json == {"detail": "Channel mapping already exists."}


def test_the_agent_reports_and_its_silence_shows(ada, oscar, lab, client_as, monkeypatch):
    instance = lab.instance(ada)
    url = f"{PLUGINS}/{instance.public_id}"
    said = client_as(oscar).put(f"{url}/status", {"status": "error", "error_message": "no answer"})
    assert said.status_code == 200
    shown = client_as(oscar).get(url).json
    assert (shown["status"], shown["error_message"]) == ("error", "no answer")
    assert shown["updated_on"] == shown["created_on"], "a sign of life is not a change"
    monkeypatch.setattr(models, "SILENT_AFTER", models.SILENT_AFTER * 0)
    assert client_as(oscar).get(url).json["status"] == "inactive"


def test_a_new_configuration_adds_the_new_channels_only(ada, client_as):
    client = client_as(ada)
    instance = _create(client)
    heater = _mapping(instance, "heater_power")
    client.delete(f"{PLUGINS}/{instance['public_id']}/channels/{heater['public_id']}")
    client.put(f"{PLUGINS}/{instance['public_id']}", {"config_json": '{"poll_interval_ms": 250}'})
    after = client.get(f"{PLUGINS}/{instance['public_id']}").json
    kept = {m["public_id"] for m in instance["channel_mappings"]} - {heater["public_id"]}
    assert kept < {m["public_id"] for m in after["channel_mappings"]}
    assert _mapping(after, "heater_power")["event_public_id"] == heater["event_public_id"]
