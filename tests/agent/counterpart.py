"""A small real HTTP server with the part of the API that the agent uses, its state in memory, and faults on command."""

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from flask import Flask, jsonify, request
from werkzeug.serving import make_server

TOKEN = "wm_test"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def iso(at):
    return (EPOCH + timedelta(microseconds=at)).isoformat()


class Counterpart:
    """Lives on one loopback port; `up` and `down` as often as a test likes, the state stays."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.token = TOKEN
        self.points = {}
        self.instances = {}
        self.unwanted = {}
        self.poison = set()
        self.statuses = []
        self.logs = []
        self.requests = []
        self.batches = []
        self.faults = []
        self.page_size = 100
        self.slipping = False
        self.lock = threading.RLock()
        self._server = None
        self._app = self._make_app()

    def up(self):
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fault(self, path, times=1, status=500, headers=None, hang=0.0, body=None):
        """The next `times` requests whose path contains `path` are answered with `status`, after `hang` seconds."""
        self.faults.append(
            {"path": path, "left": times, "status": status, "headers": headers, "hang": hang, "body": body}
        )

    def heal(self):
        self.faults.clear()

    def instance(self, public_id, plugin_id="probe", config=None, enabled=True, demo_mode=False, links=None, name=None):
        directions = {"count": "input", "gap": "input", "x": "input", "level": "bidirectional"}
        mappings = [
            {"channel_id": channel, "direction": directions.get(channel, "output"), "event_public_id": event}
            | {"public_id": f"chn_{channel}", "channel_name": channel, "unit": "1"}
            for channel, event in (links or {}).items()
        ]
        row = {
            "public_id": public_id,
            "plugin_id": plugin_id,
            "instance_name": name or public_id,
            "demo_mode": demo_mode,
            "enabled": enabled,
            "status": "inactive",
            "error_message": None,
            "updated_on": "2026-01-01T00:00:00Z",
            "config_json": config if config is None or isinstance(config, str) else json.dumps(config),
            "channel_mappings": mappings,
        }
        with self.lock:
            self.instances[public_id] = row
        return row

    def command(self, event, value, at=None):
        """What a user's click leaves behind."""
        at = time.time_ns() // 1000 if at is None else at
        with self.lock:
            self.points[event, at] = value
        return at

    def values(self, event):
        with self.lock:
            return [value for (name, _), value in sorted(self.points.items()) if name == event]

    def status(self, public_id):
        row = self.instances[public_id]
        return row["status"], row["error_message"]

    def calls(self, path):
        return sum(1 for _, url in self.requests if path in url)

    def doubled(self, event):
        return [value for value, times in Counter(self.values(event)).items() if times > 1]

    def _make_app(self):
        app = Flask(__name__)
        app.before_request(self._arrive)
        for method, path, view in (
            ("GET", "/plugins", self._list_plugins),
            ("PUT", "/plugins/<public_id>/status", self._take_status),
            ("POST", "/datapoints/batch", self._take_batch),
            ("GET", "/datapoints/latest", self._show_latest),
            ("POST", "/datapoints/series", self._show_series),
            ("POST", "/logging", self._take_log),
        ):
            app.add_url_rule(f"/api/v1{path}", path, view, methods=[method])
        return app

    def _arrive(self):
        self.requests.append((request.method, request.path))
        for fault in list(self.faults):
            if fault["path"] in request.path and fault["left"] > 0:
                fault["left"] -= 1
                time.sleep(fault["hang"])
                if fault["status"] is None:
                    return None
                return (fault["body"] or {"detail": "on command"}), fault["status"], fault["headers"] or {}
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return {"detail": "Invalid token."}, 401
        return None

    def _list_plugins(self):
        page, size = int(request.args["page"]), min(int(request.args["page_size"]), self.page_size)
        with self.lock:
            rows = list(self.instances.values())
            shown = [] if self.slipping else rows[(page - 1) * size : page * size]
            return {"page": page, "page_size": size, "total": len(rows), "data": shown}

    def _take_status(self, public_id):
        with self.lock:
            if public_id not in self.instances:
                return {"detail": "Plugin instance not found."}, 404
            self.instances[public_id].update(request.json)
            self.statuses.append((public_id, request.json["status"], request.json["error_message"]))
        return {"status": "success", "message": "Status reported."}

    def _take_batch(self):
        items = request.json["datapoints"]
        if len(items) > 500:
            return {"detail": "too many"}, 422
        if any(item["value"] in self.poison for item in items):
            return {"detail": "not welcome"}, 422
        rejected, accepted = [], 0
        with self.lock:
            self.batches.append(len(items))
            for index, item in enumerate(items):
                event = item["event_public_id"]
                if event in self.unwanted:
                    rejected.append({"index": index, "reason": self.unwanted[event]})
                else:
                    self.points[event, micros(item["timestamp"])] = item["value"]
                    accepted += 1
        message = f"{accepted} datapoints created."
        return {"status": "success", "message": message, "accepted": accepted, "rejected": rejected}, 201

    def _show_latest(self):
        newest = {}
        with self.lock:
            for (event, at), value in sorted(self.points.items(), key=lambda point: point[0][1]):
                newest[event] = shown_point(event, at, value)
        return jsonify(list(newest.values()))

    def _show_series(self):
        since = time.time_ns() // 1000 - request.json["minutes"] * 60_000_000
        with self.lock:
            found = sorted(self.points.items())
        return {
            event: [shown_point(event, at, value) for (name, at), value in found if name == event and at >= since]
            for event in request.json["event_public_ids"]
        }

    def _take_log(self):
        if not 1 <= len(request.json["content"]) <= 500:
            return {"detail": "length"}, 422
        self.logs.append((request.json["logging_type"], request.json["content"]))
        return {"status": "success", "message": "Log entry created."}, 201


def shown_point(event, at, value):
    """A datapoint as the API shows it."""
    return {
        "public_id": f"{event}-{at}",
        "value": value,
        "timestamp": iso(at),
        "event_public_id": event,
        "experiment_public_id": None,
    }
