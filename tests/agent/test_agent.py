"""The agent as a process, against a real HTTP server and real plugins."""

import random
import time
from pathlib import Path

import pytest

from tests.agent.counterpart import Counterpart
from tests.agent.rig import free_port, wait_until
from webmacs.agent.buffer import Buffer, Sample
from webmacs.agent.main import run
from webmacs.settings import Settings

pytestmark = pytest.mark.processes
LINKS = {"count": "evt_count", "gap": "evt_gap"}


def probe(server, device, links=None, **more):
    config = {"folder": str(device.folder), "poll_interval_ms": 50}
    return server.instance("plg_1", config=config, links=LINKS if links is None else links, **more)


def arrived(server, count):
    return lambda: len(server.values("evt_count")) >= count


def test_every_reading_arrives_once_and_gaps_stay_gaps(server, device, agent):
    probe(server, device)
    agent.start()
    wait_until(arrived(server, 5), "samples arrive")
    wait_until(lambda: server.status("plg_1") == ("connected", None), "the state is reported")
    wait_until(lambda: len(device.given()) > len(server.values("evt_count")), "some are not sent yet")
    assert agent.stop() == 0
    arrivals, given = server.values("evt_count"), device.given()
    assert arrivals == given[: len(arrivals)]
    assert len(given) - len(arrivals) <= 1, "only the reading that the stop interrupted may be missing"
    assert {event for event, _ in server.points} == {"evt_count"}, "no gap as a value, no channel without an event"
    assert server.status("plg_1") == ("inactive", None)
    assert ("info", "Controller started – plugin sensor polling active") in server.logs
    assert server.logs[-1] == ("warning", "Controller shutting down")


def test_a_restart_of_the_server_loses_and_doubles_nothing(server, device, agent):
    probe(server, device)
    agent.start()
    wait_until(arrived(server, 3), "samples arrive")
    server.down()
    before = len(device.given())
    wait_until(lambda: len(device.given()) > before + 20, "the device is read while the server is away")
    server.up()
    wait_until(arrived(server, before + 20), "the stored samples arrive")
    assert agent.stop() == 0
    assert server.values("evt_count") == device.given()


def test_killing_the_agent_loses_and_doubles_no_stored_sample(server, device, agent):
    probe(server, device)
    kills = 4
    for _ in range(kills):
        agent.start()
        before = len(device.given())
        wait_until(lambda start=before: len(device.given()) > start + 3, "the device is read")
        # Somewhere between reading, storing, sending and forgetting.
        time.sleep(random.uniform(0, 0.1))
        agent.kill()
    agent.start()
    wait_until(arrived(server, len(device.given())), "samples arrive")
    assert agent.stop() == 0
    assert server.doubled("evt_count") == []
    missing = set(device.given()) - set(server.values("evt_count"))
    assert len(missing) <= kills, "a kill may take the one reading that was not stored yet, never more"


def test_killing_the_agent_while_the_server_is_away_keeps_what_waits(server, device, agent):
    probe(server, device)
    agent.start()
    wait_until(arrived(server, 1), "samples arrive")
    server.down()
    before = len(device.given())
    wait_until(lambda: len(device.given()) > before + 10, "the device is read while the server is away")
    agent.kill()
    known = device.given()[:-1]
    agent.start()
    server.up()
    wait_until(lambda: set(known) <= set(server.values("evt_count")), "what waited on disk arrives")
    assert server.doubled("evt_count") == []


def test_after_a_restart_no_time_is_given_out_twice_when_the_clock_was_set_back(server, device, agent):
    probe(server, device)
    newest = time.time_ns() // 1000 + 8_000_000
    buffer = Buffer(agent.data / "agent" / "buffer.db", 1000)
    buffer.add([Sample("evt_count", newest, 7.0)])
    buffer.settle(buffer.oldest(1))
    buffer.close()
    agent.start()
    wait_until(arrived(server, 3), "samples arrive")
    assert all(at > newest for _, at in server.points)


def test_the_agent_waits_for_a_server_that_is_not_up_yet(server, device, agent):
    server.down()
    probe(server, device)
    agent.start()
    wait_until(lambda: "waiting for the server" in agent.said(), "it says that it waits")
    server.up()
    wait_until(arrived(server, 1), "samples arrive")


def test_the_agent_waits_for_its_token_and_takes_a_renewed_one(server, device, agent):
    probe(server, device)
    file = agent.data / "agent.token"
    file.unlink()
    agent.start()
    wait_until(lambda: "there is no API token" in agent.said(), "it says what is missing")
    assert server.requests == []
    file.write_text("wm_test\n")
    wait_until(arrived(server, 1), "samples arrive")
    server.token = "wm_renewed"
    wait_until(lambda: "does not accept the API token" in agent.said(), "it says that the token is refused")
    before = len(device.given())
    wait_until(lambda: len(device.given()) > before + 3, "the device is read all the same")
    file.write_text("wm_renewed\n")
    wait_until(arrived(server, before + 3), "samples arrive again")
    assert agent.stop() == 0
    assert server.values("evt_count") == device.given()
    assert "wm_" not in agent.said()


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("server_url", "ftp://somewhere", "WEBMACS_SERVER_URL"),
        ("server_url", "http://[::1", "WEBMACS_SERVER_URL"),
        ("server_url", "http://", "WEBMACS_SERVER_URL"),
        ("data_dir", Path("/proc/nowhere"), "/proc/nowhere"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_with_a_readable_message(tmp_path, capsys, field, value, named):
    assert run(Settings(data_dir=tmp_path, server_url="http://127.0.0.1:1").model_copy(update={field: value})) == 2
    assert named in capsys.readouterr().err


def test_an_unknown_setting_ends_the_process_with_its_name(agent):
    agent.start(WEBMACS_NO_SUCH_THING="1")
    assert agent.process.wait(15) == 2
    assert "WEBMACS_NO_SUCH_THING" in agent.said()
    assert "Traceback" not in agent.said()


def test_a_second_agent_on_the_same_data_is_refused(server, device, agent, capsys):
    probe(server, device)
    agent.start()
    wait_until(arrived(server, 1), "the first one works")
    assert run(Settings(data_dir=agent.data, server_url=server.url)) == 2
    assert "another agent already works" in capsys.readouterr().err
    assert agent.process.poll() is None


def test_the_bundled_simulated_plant_runs_in_demo_mode(tmp_path, agent):
    plant = Counterpart(free_port()).up()
    try:
        plant.instance(
            "plg_1", plugin_id="simulated", config={"poll_interval_ms": 100}, links={"temp_reactor": "evt_t"}
        )
        agent.environment["WEBMACS_SERVER_URL"] = plant.url
        agent.start()
        wait_until(lambda: len(plant.values("evt_t")) > 2, "samples arrive")
        assert plant.status("plg_1") == ("demo", None)
        assert agent.stop() == 0
    finally:
        plant.down()
