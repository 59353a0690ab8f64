"""The agent against the real server: what both promise each other has to fit, also when one of them is killed."""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import datetime

import httpx
import pytest

from tests.agent.rig import Agent, free_port, wait_until

pytestmark = pytest.mark.processes


class Server:
    """`webmacs web` on a prepared data folder with the simulated plant."""

    def __init__(self, data):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.output = data / "web.txt"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBMACS_")} | {
            "WEBMACS_DATA_DIR": str(data),
            "DATABASE_URL": f"sqlite:///{data / 'webmacs.db'}",
            "WEBMACS_PORT": str(self.port),
            "WEBMACS_DEMO": "1",
        }
        subprocess.run(
            [sys.executable, "-m", "webmacs", "prepare"], env=self.environment, check=True, capture_output=True
        )
        token = (data / "agent.token").read_text().strip()
        self.api = httpx.Client(
            base_url=f"{self.url}/api/v1/", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        )

    def up(self):
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webmacs", "web"], env=self.environment, stdout=output, stderr=output
            )
        wait_until(self.answers, "the server answers", timeout=30)

    def answers(self):
        try:
            return self.api.get("plugins").status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def events(self):
        rows = self.api.get("plugins").json()["data"]
        return {
            channel["channel_id"]: channel["event_public_id"] for row in rows for channel in row["channel_mappings"]
        }

    def statuses(self):
        return {row["plugin_id"]: row["status"] for row in self.api.get("plugins").json()["data"]}

    def points(self, event):
        body = {"event_public_ids": [event], "minutes": 10, "max_points": 2000}
        found = self.api.post("datapoints/series", json=body).json()[event]
        return [(datetime.fromisoformat(point["timestamp"]).timestamp(), point["value"]) for point in found]

    def values(self, event):
        return [value for _, value in self.points(event)]


def test_real_server_and_agent_agree_and_survive_each_others_death(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    server = Server(data)
    agent = Agent(server.url, data)
    try:
        server.up()
        agent.start()
        events = server.events()
        heater, bed = events["heater_power"], events["temp_reactor"]
        wait_until(lambda: len(server.points(bed)) >= 2, "samples arrive")
        wait_until(lambda: len(server.values(heater)) == 1, "where the simulated output stands is shown")
        start = server.values(heater)
        wait_until(lambda: server.statuses() == {"system": "connected", "simulated": "demo"}, "the states are reported")

        reply = server.api.post("datapoints", json={"event_public_id": heater, "value": 130})
        assert reply.status_code == 201, reply.text
        wait_until(lambda: server.values(heater) == [*start, 130, 100], "the set-point is written, within its limits")

        server.kill()
        with sqlite3.connect(f"file:{data}/agent/buffer.db?mode=ro", uri=True) as buffer:
            waiting = "SELECT count(*) FROM samples WHERE event = ?"
            wait_until(lambda: buffer.execute(waiting, (bed,)).fetchone()[0] >= 2, "samples wait on disk")
            agent.kill()
            kept = {at / 1e6 for (at,) in buffer.execute("SELECT at FROM samples WHERE event = ?", (bed,))}
        server.up()
        agent.start()
        wait_until(lambda: kept <= {at for at, _ in server.points(bed)}, "what was kept arrives")
        wait_until(lambda: server.values(heater)[-1] == start[0], "the restarted agent says where the output stands")
        times = [at for at, _ in server.points(bed)]
        assert len(times) == len(set(times))
        assert agent.stop() == 0
        entries = [entry["content"] for entry in server.api.get("logging").json()["data"]]
        assert "Controller shutting down" in entries, json.dumps(entries)
        assert {row["status"] for row in server.api.get("plugins").json()["data"]} == {"inactive"}
    finally:
        for process in (agent.process, server.process):
            if process is not None:
                process.kill()
                process.wait()
