"""`webmacs up` as its users meet it: real processes, small stand-ins for the parts."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import redis

from webmacs.supervisor import broker

pytestmark = pytest.mark.processes


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_gone(pids, timeout=10.0):
    deadline = time.monotonic() + timeout
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)


def broker_of(run) -> redis.Redis:
    return redis.from_url(broker.socket_url(run.data / "redis" / "redis.sock"))


def broker_pid(run) -> int:
    return int(broker_of(run).info("server")["process_id"])


def environment_of(run, part) -> dict[str, str]:
    return json.loads((run.data / f"environment.{part}").read_text())


def test_the_parts_start_in_order_and_the_claim_link_is_printed(up):
    run = up()
    run.wait_until_all_run()

    assert [part for part, _ in run.journal("starts")][:2] == ["prepare", "web"]
    assert f"WebMACS runs at http://127.0.0.1:{run.port}" in run.output
    assert f"http://127.0.0.1:{run.port}/claim#AAAA-BBBB-CCCC" in run.output
    assert "prepare | database is ready" in run.output
    assert '{"claim_code"' not in run.output


def test_a_stop_goes_from_the_agent_back_to_the_broker_and_leaves_nothing(up):
    run = up()
    run.wait_until_all_run()
    pids = [pid for _, pid in run.journal("starts")] + [broker_pid(run)]

    assert run.stop() == 0

    assert [part for part, _ in run.journal("stops")] == ["agent", "worker", "web"]
    assert [part for part, _ in run.journal("saw-the-broker")] == ["web"]
    assert not [pid for pid in pids if alive(pid)]
    assert run.output.rstrip().endswith("Stopped.")


def test_ctrl_c_before_everything_runs_stops_cleanly(up):
    run = up(RIG_PREPARE='note("works")\nwhile True: time.sleep(60)\n')
    (preparation,) = [run.wait_for_start("prepare")]

    assert run.stop(signal.SIGINT) == 0
    assert not alive(preparation)


def test_a_killed_part_comes_back(up):
    run = up()
    run.wait_until_all_run()
    for part in ("web", "worker", "agent"):
        killed = run.pids(part)[-1]
        os.kill(killed, signal.SIGKILL)
        assert run.wait_for_start(part, times=2) != killed
        assert f"{part} was killed by SIGKILL; starting it again in 0.2 s." in run.output


def test_a_killed_broker_comes_back_with_what_it_was_told(up):
    run = up()
    run.wait_until_all_run()
    broker_of(run).set("bell", "rings")
    killed = broker_pid(run)
    os.kill(killed, signal.SIGKILL)
    run.wait_for_output("broker was killed by SIGKILL")

    deadline = time.monotonic() + 10
    while True:
        try:
            assert broker_of(run).get("bell") == b"rings"
            break
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert broker_pid(run) != killed


def test_the_broker_is_private_durable_and_evicts_nothing(up):
    run = up()
    run.wait_until_all_run()
    config = broker_of(run).config_get("*")

    assert config["port"] == "0"
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert (run.data / "redis" / "redis.sock").stat().st_mode & 0o777 == 0o600
    assert (run.data / "redis").stat().st_mode & 0o777 == 0o700


def test_a_broker_file_that_cannot_be_read_is_kept_aside_and_the_start_goes_on(up):
    run = up()
    run.wait_until_all_run()
    broker_of(run).set("bell", "rings")
    run.stop()
    (log,) = (run.data / "redis" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"no such format" + log.read_bytes())

    again = up()
    again.wait_until_all_run()

    assert "files cannot be read; they are kept as" in again.output
    assert list((run.data / "redis").glob("unreadable-*-appendonlydir"))
    assert broker_of(again).get("bell") is None


def test_a_second_supervisor_on_the_same_data_is_refused_and_disturbs_nothing(up):
    run = up()
    run.wait_until_all_run()

    second = up()
    assert second.process.wait(timeout=10) == 1

    assert f"already runs on the data folder {run.data} (process {run.process.pid})" in second.output
    assert broker_of(run).ping()


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(up):
    run = up()
    run.wait_until_all_run()
    pids = [pid for _, pid in run.journal("starts")] + [broker_pid(run)]

    run.process.kill()
    run.process.wait()
    again = up()
    again.wait_until_all_run()

    wait_until_gone(pids)
    assert again.stop() == 0


def test_a_killed_supervisor_leaves_the_lock_to_its_children_until_they_have_finished(up):
    slow = (
        'signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), leave()))\nnote("slow")\nwhile True: time.sleep(60)\n'
    )
    run = up(RIG_AGENT=slow)
    run.wait_until_all_run()
    run.wait_for_output("Stop with")
    agent = run.pids("agent")[-1]
    run.wait_for_note("slow")

    run.process.kill()
    again = up()
    again.wait_for_output("its processes are finishing")
    again.wait_until_all_run()

    assert not alive(agent)
    assert ("agent", agent) in again.journal("stops")


def test_a_taken_port_is_named_before_anything_starts(up, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = up(WEBMACS_PORT=str(port))
        assert run.process.wait(timeout=10) == 1

    assert f"cannot listen on 127.0.0.1 port {port}" in run.output
    assert run.journal("starts") == []


def test_a_failed_preparation_stops_everything(up):
    run = up(RIG_PREPARE='print("no such revision")\nsys.exit(3)\n')

    assert run.process.wait(timeout=10) == 1

    assert "prepare | no such revision" in run.output
    assert "preparation of the database failed" in run.output
    assert not (run.data / "redis" / "redis.sock").exists()
    assert [part for part, _ in run.journal("starts")] == ["prepare"]


def test_a_web_server_that_cannot_start_is_given_up_with_its_reason(up):
    run = up(RIG_WEB='sys.exit("no module named dinosaur")\n')

    assert run.process.wait(timeout=10) == 1

    assert "web     | no module named dinosaur" in run.output
    assert "web does not start" in run.output


def test_a_crash_loop_is_said_plainly_while_the_others_go_on(up):
    run = up(RIG_AGENT='sys.exit("no such device")\n')

    run.wait_for_output("agent is in a crash loop: it ended with code 1")

    assert "agent   | no such device" in run.output
    assert alive(run.pids("web")[-1])
    assert run.stop() == 0


def test_a_part_that_ignores_the_wish_to_stop_is_killed_after_its_grace(up):
    run = up(
        RIG_GRACE="0.5", RIG_AGENT='signal.signal(signal.SIGTERM, signal.SIG_IGN)\nnote("deaf")\ntime.sleep(600)\n'
    )
    run.wait_until_all_run()
    run.wait_for_note("deaf")

    assert run.stop() == 0

    assert "agent did not stop in time; killing it." in run.output
    assert not alive(run.pids("agent")[-1])
    assert [part for part, _ in run.journal("stops")] == ["worker", "web"]


def test_a_second_ctrl_c_hurries(up):
    run = up(RIG_AGENT='signal.signal(signal.SIGTERM, signal.SIG_IGN)\nnote("deaf")\ntime.sleep(600)\n')
    run.wait_until_all_run()
    run.wait_for_note("deaf")
    started = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    run.wait_for_output("Stopping")
    time.sleep(0.4)  # two signals within 0.3 s are one wish

    assert run.stop(signal.SIGINT) == 0

    assert time.monotonic() - started < 6  # instead of the agent's 10 s
    assert not alive(run.pids("agent")[-1])


def test_what_a_killed_part_had_started_goes_with_it(up):
    horse = (
        'import subprocess\nhorse = subprocess.Popen(["sleep", "600"], process_group=0)\nnote(f"horse={horse.pid}")\n'
    )
    run = up(RIG_WORKER=horse + "while True: time.sleep(60)\n")
    run.wait_until_all_run()
    pid = int(run.wait_for_note("horse=(\\d+)"))
    assert alive(pid)

    os.kill(run.pids("worker")[-1], signal.SIGKILL)

    wait_until_gone([pid])


def test_the_agent_gets_no_key_to_the_servers_house(up):
    secrets = {"SECRET_KEY": "s" * 40, "INITIAL_ADMIN_PASSWORD": "correct horse"}
    run = up(**secrets)
    run.wait_until_all_run()

    agent, web, prepare = (environment_of(run, part) for part in ("agent", "web", "prepare"))
    assert not {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "INITIAL_ADMIN_PASSWORD"} & set(agent)
    assert agent["WEBMACS_SERVER_URL"] == f"http://127.0.0.1:{run.port}"
    assert web["REDIS_URL"].startswith("unix://")
    assert "INITIAL_ADMIN_PASSWORD" not in web
    assert prepare["INITIAL_ADMIN_PASSWORD"] == "correct horse"


def test_a_data_folder_too_deep_for_a_socket_gets_a_private_one_elsewhere(up, tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    run = up(data=deep)
    run.wait_until_all_run()
    sock = Path(environment_of(run, "web")["REDIS_URL"].removeprefix("unix://").removesuffix("?db=0"))

    assert sock.stat().st_mode & 0o777 == 0o600
    assert sock.parent.stat().st_mode & 0o777 == 0o700
    assert run.stop() == 0
    assert not sock.parent.exists()


def test_a_redis_of_the_site_is_used_and_not_stopped(up, tmp_path):
    other = up(data=tmp_path / "other")
    other.wait_until_all_run()
    url = broker.socket_url(other.data / "redis" / "redis.sock")

    run = up(REDIS_URL=url)
    run.wait_until_all_run()
    assert environment_of(run, "worker")["REDIS_URL"] == url
    assert not (run.data / "redis").exists()
    assert run.stop() == 0
    assert broker_of(other).ping()


def test_a_redis_of_the_site_that_is_away_is_named_without_its_password(up):
    run = up(REDIS_URL="redis://:hunter2@127.0.0.1:1/0")

    assert run.process.wait(timeout=10) == 1

    assert "REDIS_URL names redis://127.0.0.1:1/0, and nothing answers there." in run.output
    assert "hunter2" not in run.output


def test_systemd_is_told_when_everything_runs_and_when_it_stops(up, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        run = up(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(64) == b"READY=1"
        run.wait_until_all_run()
        assert "NOTIFY_SOCKET" not in environment_of(run, "web")
        run.stop()
        assert manager.recv(64) == b"STOPPING=1"
