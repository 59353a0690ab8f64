"""What makes an output move, and above all what does not."""

import pytest

from tests.agent.rig import wait_until

pytestmark = pytest.mark.processes
LINKS = {"heater": "evt_heater", "level": "evt_level", "valve": "evt_valve"}
HOUR = 3_600_000_000


@pytest.fixture
def rig(server, device):
    server.instance("plg_1", config={"folder": str(device.folder), "poll_interval_ms": 50}, links=LINKS)
    return server


def ready(server):
    return lambda: server.status("plg_1")[0] == "connected" and 0 in server.values("evt_heater")


def test_outputs_are_safe_at_the_start_and_at_the_end_and_the_server_shows_it(rig, device, agent):
    rig.command("evt_heater", 80)
    agent.start()
    wait_until(ready(rig), "it runs")
    wait_until(lambda: rig.values("evt_heater") == [80, 0], "the server shows the safe value")
    rig.command("evt_heater", 55)
    wait_until(lambda: 55 in device.values("heater"), "the set-point is written")
    assert agent.stop() == 0
    assert device.values("heater")[:2] == [0, 55]
    assert set(device.values("heater")[2:]) == {0}
    assert rig.values("evt_heater") == [80, 0, 55, 0]


def test_a_setpoint_is_written_once_and_none_that_is_older_than_the_start(rig, device, agent):
    rig.command("evt_valve", 99)
    agent.start()
    wait_until(ready(rig), "it runs")
    rig.command("evt_valve", 77, at=rig.command("evt_valve", 50) - HOUR)
    wait_until(lambda: device.values("valve") == [50], "the new one is written")
    looks = rig.calls("/latest")
    wait_until(lambda: rig.calls("/latest") > looks + 5, "it looks several times")
    assert device.values("valve") == [50]
    agent.kill()
    agent.start()
    restarted = len(rig.statuses)
    wait_until(lambda: ("plg_1", "connected", None) in rig.statuses[restarted:], "it runs again")
    rig.command("evt_valve", 20)
    wait_until(lambda: device.values("valve")[-1] == 20, "the next one is written")
    assert device.values("valve") == [50, 20]


def test_a_value_beyond_the_limits_is_cut_and_the_server_shows_what_was_written(rig, device, agent):
    agent.start()
    wait_until(ready(rig), "it runs")
    rig.command("evt_heater", 150)
    wait_until(lambda: rig.values("evt_heater") == [0, 150, 100], "the server shows the truth")
    assert device.values("heater") == [0, 100]


def test_a_setpoint_between_two_readings_of_a_bidirectional_channel_is_not_missed(rig, device, agent):
    agent.start()
    wait_until(lambda: len(rig.values("evt_level")) > 5, "readings arrive")
    for value in (10, 20, 30):
        count = len(rig.values("evt_level"))
        wait_until(lambda before=count: len(rig.values("evt_level")) > before, "another reading arrives")
        own = max(at for (event, at) in rig.points if event == "evt_level")
        # Just before the newest reading, where the newest datapoint hides it.
        rig.command("evt_level", value, at=own - 1)
        wait_until(lambda wanted=value: device.values("level")[-1] == wanted, f"{value} is written")
    assert device.values("level") == [5, 10, 20, 30], "readings are no commands"


def test_without_the_server_outputs_become_safe_in_time_and_need_a_fresh_setpoint(rig, device, agent):
    agent.start(WEBMACS_AGENT_SAFE_AFTER="1")
    wait_until(ready(rig), "it runs")
    rig.command("evt_heater", 65)
    wait_until(lambda: device.values("heater") == [0, 65], "the set-point is written")
    rig.fault("", times=10**6, status=503)
    looked = rig.calls("/latest")
    wait_until(lambda: rig.calls("/latest") > looked, "it is refused")
    wait_until(lambda: device.values("heater") == [0, 65, 0], "the output is safe", timeout=3)
    rig.command("evt_heater", 66)
    rig.heal()
    wait_until(lambda: any("No contact" in content for _, content in rig.logs), "it is logged")
    wait_until(lambda: rig.values("evt_heater") == [0, 65, 0, 66, 0], "the server shows the truth")
    rig.command("evt_heater", 67)
    wait_until(lambda: device.values("heater")[-1] == 67, "a fresh set-point is followed")
    assert 66 not in device.values("heater")
    assert sum("No contact" in content for _, content in rig.logs) == 1
