"""The baseline: bare Flask routes behind the same server that parse the same body and store nothing.

Run as a program; its argument is the port.
"""

import sys

import orjson
import uvicorn
from flask import Flask, Response, request

from webmacs import asgi

app = Flask("bare")


@app.get("/health")
@app.get("/api/v1/datapoints/latest")
def show() -> Response:
    return Response(b'{"status":"ok"}', mimetype="application/json")


@app.post("/api/v1/datapoints")
@app.post("/api/v1/datapoints/batch")
def take() -> Response:
    points = orjson.loads(request.get_data()).get("datapoints", [None])
    return Response(orjson.dumps({"accepted": len(points)}), 201, mimetype="application/json")


if __name__ == "__main__":
    uvicorn.run(
        asgi.Pages(asgi.Bridge(app), 2_097_152),
        port=int(sys.argv[1]),
        http=asgi.Protocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
