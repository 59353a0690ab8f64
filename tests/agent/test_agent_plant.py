"""Starting, changing and stopping instances as the server's list says, and devices that fail."""

import pytest

from tests.agent.rig import Device, wait_until

pytestmark = pytest.mark.processes


@pytest.fixture
def plant(server, tmp_path, agent):
    """Adds instances, each with a device of its own."""
    devices = {}

    def add(public_id, plugin_id="probe", poll=50, **more):
        device = devices.setdefault(public_id, None) or Device(tmp_path / public_id)
        devices[public_id] = device
        config = {"folder": str(device.folder), "poll_interval_ms": poll} | more.pop("config", {})
        links = {"x" if plugin_id == "blocking" else "count": f"evt_{public_id}"}
        server.instance(public_id, plugin_id=plugin_id, config=config, links=links | more.pop("links", {}), **more)
        return device

    return add


def test_an_instance_that_is_added_later_is_polled_and_one_that_is_disabled_stops_safely(server, plant, agent):
    agent.start()
    wait_until(lambda: ("info", "Controller started – plugin sensor polling active") in server.logs, "it started")
    device = plant("plg_1", links={"heater": "evt_heater"})
    wait_until(lambda: len(server.values("evt_plg_1")) > 2, "samples arrive")
    server.command("evt_heater", 40)
    wait_until(lambda: 40 in device.values("heater"), "the set-point is written")
    wait_until(lambda: server.status("plg_1") == ("connected", None), "it is reported as connected")
    server.instances["plg_1"]["enabled"] = False
    wait_until(lambda: server.status("plg_1") == ("inactive", None), "it is reported as inactive")
    assert device.values("heater")[-1] == 0
    count = len(device.given())
    server.instances["plg_1"]["enabled"] = True
    wait_until(lambda: len(device.given()) > count, "it runs again")
    assert 40 not in device.values("heater")[device.values("heater").index(40) + 1 :]


def test_a_deleted_instance_is_stopped(server, plant, agent):
    device = plant("plg_1")
    agent.start()
    wait_until(device.given, "the device is read")
    del server.instances["plg_1"]
    wait_until(lambda: "instance stopped" in agent.said(), "it stops")
    assert ("plg_1", "error", None) not in server.statuses


def test_all_pages_of_the_list_are_read(server, plant, agent):
    server.page_size = 2
    devices = [plant(f"plg_{number}", poll=200) for number in range(5)]
    agent.start()
    wait_until(lambda: all(device.given() for device in devices), "every device is read")
    assert agent.process.poll() is None


def test_an_incomplete_list_stops_nothing(server, plant, agent):
    device = plant("plg_1")
    agent.start()
    wait_until(device.given, "the device is read")
    server.slipping = True
    asked, before = server.calls("/plugins"), len(device.given())
    wait_until(lambda: server.calls("/plugins") > asked + 2, "the list is read again")
    wait_until(lambda: len(device.given()) > before + 2, "the device is still read")
    assert "instance stopped" not in agent.said()


def test_a_changed_configuration_is_applied_and_a_new_name_or_link_needs_no_restart(server, plant, agent, tmp_path):
    device = plant("plg_1")
    agent.start()
    wait_until(device.given, "the device is read")
    server.instances["plg_1"]["instance_name"] = "another name"
    server.instances["plg_1"]["channel_mappings"][0]["event_public_id"] = "evt_other"
    wait_until(lambda: server.values("evt_other"), "the new link is used")
    assert agent.said().count("instance started") == 1
    plant("plg_1", config={"folder": str(tmp_path / "elsewhere")})
    wait_until((tmp_path / "elsewhere" / "given").exists, "the new configuration is used")
    assert agent.said().count("instance started") == 2


BROKEN = {
    "no-such-plugin": {"plugin_id": "no-such-plugin"},
    "not valid JSON": {"config_json": "{broken"},
    "JSON object": {"config_json": "[1]"},
    "poll_interval_ms": {"config_json": '{"folder": "/tmp", "poll_interval_ms": 7}'},
}


def test_an_instance_that_cannot_run_says_why_and_disturbs_no_other(server, plant, agent):
    bad = {f"plg_bad{number}": (named, change) for number, (named, change) in enumerate(BROKEN.items())}
    for public_id, (_, change) in bad.items():
        plant(public_id)
        server.instances[public_id].update(change)
    good = plant("plg_good")
    agent.start()
    for public_id, (named, _) in bad.items():
        wait_until(lambda bad_id=public_id: server.status(bad_id)[0] == "error", "the problem is reported")
        assert named in server.status(public_id)[1]
    wait_until(good.given, "the other one is read")
    for public_id in bad:
        plant(public_id)
    for public_id in bad:
        wait_until(lambda bad_id=public_id: server.status(bad_id) == ("connected", None), "once corrected it runs")


def test_an_output_that_is_linked_to_another_event_shows_there_what_it_was_given(server, plant, agent):
    device = plant("plg_1", links={"heater": "evt_heater"})
    agent.start()
    wait_until(lambda: server.values("evt_heater") == [0], "the safe value is shown")
    server.command("evt_heater", 35)
    wait_until(lambda: 35 in device.values("heater"), "the set-point is written")
    links = {link["channel_id"]: link for link in server.instances["plg_1"]["channel_mappings"]}
    links["heater"]["event_public_id"] = "evt_other"
    wait_until(lambda: server.values("evt_other") == [35], "the new event shows the value")
    server.command("evt_heater", 99)
    server.command("evt_other", 20)
    wait_until(lambda: device.values("heater")[-1] == 20, "the new event drives it")
    assert 99 not in device.values("heater")


def test_a_device_that_hangs_delays_no_other(server, plant, agent):
    stuck, blocked, good = plant("plg_stuck"), plant("plg_blocked", plugin_id="blocking"), plant("plg_good")
    agent.start()
    wait_until(lambda: stuck.given() and good.given() and server.values("evt_plg_blocked"), "all are read")
    stuck.fault("stuck")
    blocked.fault("stuck")
    before = len(good.given())
    wait_until(lambda: len(good.given()) > before + 20, "the good one goes on at its pace", timeout=5)
    wait_until(lambda: server.status("plg_blocked")[0] == "error", "the hanging one is reported")
    blocked.heal("stuck")
    wait_until(lambda: server.status("plg_blocked") == ("connected", None), "it is found again")
    assert agent.stop() == 0


def test_a_lost_device_is_reported_and_found_again_with_safe_outputs(server, plant, agent):
    device = plant(
        "plg_1", config={"retry_policy": {"base_delay": 0.1, "max_delay": 1}}, links={"heater": "evt_heater"}
    )
    agent.start()
    wait_until(device.given, "the device is read")
    wait_until(lambda: server.values("evt_heater") == [0], "the safe value is shown")
    server.command("evt_heater", 60)
    wait_until(lambda: 60 in device.values("heater"), "the set-point is written")
    device.fault("broken")
    wait_until(lambda: server.status("plg_1")[0] == "error", "the loss is reported")
    assert "the device is broken" in server.status("plg_1")[1]
    server.command("evt_heater", 70)
    device.heal("broken")
    wait_until(lambda: server.status("plg_1") == ("connected", None), "it is found again")
    wait_until(lambda: server.values("evt_heater")[-1] == 0, "the server shows the safe value")
    assert device.values("heater")[-1] == 0
    assert 70 not in device.values("heater")


def test_a_device_that_can_only_be_written_is_made_safe_and_the_server_shows_it(server, plant, agent):
    device = plant("plg_1", links={"heater": "evt_heater"})
    agent.start()
    wait_until(lambda: server.values("evt_heater") == [0], "the safe value is shown")
    server.command("evt_heater", 60)
    wait_until(lambda: 60 in device.values("heater"), "the set-point is written")
    device.fault("mute")
    wait_until(lambda: server.values("evt_heater") == [0, 60, 0], "the server shows that it is safe")
    assert device.values("heater")[-1] == 0
    wait_until(lambda: server.status("plg_1")[0] == "error", "the loss is reported")


def test_an_output_that_fails_is_reported_and_tried_again(server, plant, agent):
    device = plant("plg_1", links={"heater": "evt_heater"})
    agent.start()
    wait_until(lambda: server.values("evt_heater") == [0], "the safe value is shown")
    device.fault("jammed")
    server.command("evt_heater", 30)
    wait_until(lambda: server.status("plg_1")[0] == "error", "the failure is reported")
    assert "set-point 30 of heater" in server.status("plg_1")[1]
    device.heal("jammed")
    wait_until(lambda: device.values("heater")[-1] == 30, "it is written in the end")
    wait_until(lambda: server.status("plg_1") == ("connected", None), "the problem is over")
    assert sum("could not be written" in content for _, content in server.logs) == 1
