"""A counterpart server, a folder for the device, and the agent beside them."""

import contextlib
import logging

import pytest

from tests.agent.counterpart import TOKEN, Counterpart
from tests.agent.rig import Agent, Device, free_port

logging.getLogger("werkzeug").setLevel(logging.ERROR)


@pytest.fixture
def server():
    counterpart = Counterpart(free_port()).up()
    yield counterpart
    counterpart.down()


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path / "device")


@pytest.fixture
def agent(server, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "agent.token").write_text(TOKEN)
    agent = Agent(server.url, data)
    yield agent
    if agent.process is not None and agent.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            agent.kill()
