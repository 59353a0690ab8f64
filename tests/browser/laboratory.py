"""The laboratory that the browser visits: a whole WebMACS with the demo plant, its people, something in every list."""

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.processes.rig import MAIL, PASSWORD, Running, wait_until

__all__ = ["PASSWORD", "Laboratory", "wait_until"]

PLANT, COMPUTER = "Fluidised bed", "This computer"
ROLES = {"oscar": "operator", "vera": "viewer"}


class Laboratory(Running):
    """`webmacs up` with the demo plant. `ada` is its administrator, `oscar` operates, `vera` only looks."""

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder, WEBMACS_DEMO="1", WEBMACS_DEVELOPMENT="1", **environment)
        self._mails = {"ada": MAIL}
        self._made = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def mail(self, name: str) -> str:
        """The e-mail address of somebody, who is made when nobody asked before."""
        if name not in self._mails:
            self._mails[name], _ = self.new_user(name, ROLES.get(name, "operator"))
        return self._mails[name]

    def unique(self, word: str) -> str:
        """A name that nothing has yet."""
        self._made += 1
        return f"{word} {self._made}"

    def channel(self, name: str) -> str:
        """The public id of the channel with this full name."""
        found = self.call("GET", f"/api/v1/events?page_size=100&q={name.rpartition(' – ')[2].replace(' ', '%20')}")
        return next(str(event["public_id"]) for event in found["data"] if event["name"] == name)

    def new_channel(self, name: str, kind: str = "sensor", high: float = 100) -> str:
        """A channel without a device."""
        fields = {"name": name, "type": kind, "unit": "°C", "min_value": 0, "max_value": high}
        return str(self.call("POST", "/api/v1/events", fields)["public_id"])

    def record(self, channel: str, *values: float, ends: datetime | None = None, step: float = 1.0) -> None:
        """Values of a channel, `step` seconds apart, the last at `ends` (None: now)."""
        last = ends or datetime.now(UTC)
        for start in range(0, len(values), 500):
            batch = [
                {
                    "event_public_id": channel,
                    "value": value,
                    "timestamp": (last - timedelta(seconds=step * (len(values) - 1 - start - index))).isoformat(),
                }
                for index, value in enumerate(values[start : start + 500])
            ]
            self.call("POST", "/api/v1/datapoints/batch", {"datapoints": batch})

    def latest(self, channel: str) -> float | None:
        """The newest value of a channel."""
        found = self.call("GET", "/api/v1/datapoints/latest")
        return next((float(point["value"]) for point in found if point["event_public_id"] == channel), None)

    def start_experiment(self, name: str, channels: list[str] | None = None) -> str:
        """Start an experiment; returns its public id."""
        body: dict[str, Any] = {"name": name} | ({"event_public_ids": channels} if channels else {})
        return str(self.call("POST", "/api/v1/experiments", body)["public_id"])

    def stop_experiment(self, public_id: str) -> None:
        """Stop an experiment."""
        self.call("PUT", f"/api/v1/experiments/{public_id}/stop")

    @cached_property
    def furniture(self) -> dict[str, str]:
        """Something in every list, so that every page has something to show: kind → public id."""
        temperature = self.channel(f"{PLANT} – Reactor temperature")
        stopped = self.start_experiment("Drying run 6")
        wait_until(lambda: self.values_of(stopped) > 20, "the experiment has values")
        self.stop_experiment(stopped)
        running = self.start_experiment("Drying run 7 with the new distributor plate")
        config = json.dumps({"poll_interval_ms": 500, "start": "cold"})
        instance = {"plugin_id": "simulated", "instance_name": "Spare plant", "demo_mode": True, "enabled": False}
        spare = self.call("POST", "/api/v1/plugins", instance | {"config_json": config})["public_id"]
        for kind, text in (
            ("warning", "Filter of the inlet air is due in three days."),
            ("error", "Fan did not start."),
        ):
            self.call("POST", "/api/v1/logging", {"content": text, "logging_type": kind})
        self.call("POST", "/api/v1/invitations", {"email": "guest@institute.example", "role": "viewer"})
        people = self.call("GET", "/api/v1/users?q=" + self.mail("oscar"))["data"]
        found = {"channel": temperature, "stopped": stopped, "running": running, "spare": str(spare)}
        return found | {
            "user": str(people[0]["public_id"]),
            "plant": next(str(i["public_id"]) for i in self.instances() if i["instance_name"] == PLANT),
        }

    def instances(self) -> list[dict[str, Any]]:
        """All plugin instances."""
        return list(self.call("GET", "/api/v1/plugins?page_size=100")["data"])

    def values_of(self, experiment: str) -> int:
        """How many values belong to an experiment."""
        return int(self.call("GET", f"/api/v1/datapoints?page_size=1&experiment_public_id={experiment}")["total"])
