"""`webmacs up` with small stand-ins for the parts: real processes, the real supervisor, the real broker.

Run as a program. The stand-ins write what happens to them into the file `journal` of the data folder, one line each:
`<part> <what> <process id>`. RIG_<PART> in the environment replaces the program text of a part.
"""

import os
import sys
from dataclasses import replace

from webmacs.settings import Settings
from webmacs.supervisor import broker, main
from webmacs.supervisor.child import Program

COMMON = """
import json, os, pathlib, signal, socket, sys, time
folder = pathlib.Path(os.environ["WEBMACS_DATA_DIR"])
part = sys.argv[1]
def note(what):
    with open(folder / "journal", "a") as journal:
        journal.write(f"{part} {what} {os.getpid()}\\n")
def broker_answers():
    import redis
    return redis.from_url(os.environ["REDIS_URL"]).ping()
def leave(*_):
    note("stops")
    if part == "web" and broker_answers():
        note("saw-the-broker")
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
(folder / f"environment.{part}").write_text(json.dumps(dict(os.environ)))
note("starts")
"""
LIVES = 'print("ready", flush=True)\nwhile True: time.sleep(60)\n'
PARTS = {
    "prepare": 'print("database is ready")\nprint(json.dumps({"claim_code": "AAAA-BBBB-CCCC"}))\n',
    "web": """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_): pass
HTTPServer((os.environ["WEBMACS_HOST"], int(os.environ["WEBMACS_PORT"])), Health).serve_forever()
""",
    "worker": LIVES,
    "agent": LIVES,
}


def stand_in(name: str, environment: dict[str, str]) -> Program:
    text = COMMON + os.environ.get(f"RIG_{name.upper()}", PARTS[name])
    real = main.command(name, environment)
    return replace(real, argv=(sys.executable, "-c", text, name), grace=float(os.environ.get("RIG_GRACE", real.grace)))


if __name__ == "__main__":
    broker.SITE_PATIENCE = 0.5
    sys.exit(main.run(Settings.from_environment(), stand_in))
