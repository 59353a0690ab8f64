"""Exports at the reader's pace: so many at a time, and a reader who leaves costs nothing."""

from tests.make import NOON
from webmacs.web import downloads


def _open(client, run):
    """Begin a download and read nothing yet."""
    return client.get(f"/api/v1/experiments/{run.public_id}/export/csv", buffered=False)


def test_only_so_many_downloads_run_at_once(lab, oscar, client_as):
    client, run = client_as(oscar), lab.experiment(oscar)
    running = [_open(client, run) for _ in range(downloads.AT_ONCE)]
    try:
        refused = _open(client, run)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "5"
        assert "Too many downloads" in refused.json["detail"]
        running.pop().close()
        running.append(_open(client, run))
        assert running[-1].status_code == 200
    finally:
        for answer in running:
            answer.close()


def test_a_download_that_is_refused_takes_no_place(lab, oscar, client_as):
    client, run = client_as(oscar), lab.experiment(oscar)
    for _ in range(2 * downloads.AT_ONCE):
        assert client.get("/api/v1/experiments/exp_nothing/export/csv").status_code == 404
    assert client.get(f"/api/v1/experiments/{run.public_id}/export/csv").status_code == 200


def test_what_arrives_during_an_export_breaks_nothing(lab, oscar, client_as):
    event, run = lab.event(oscar), lab.experiment(oscar, started=NOON)
    first = 1_000_000 * int(NOON.timestamp())
    lab.samples(event, ((first + n * 1000, float(n)) for n in range(9_000)))
    answer = _open(client_as(oscar), run)
    chunks = iter(answer.response)
    text = next(chunks) + next(chunks)
    lab.record(oscar, event, 1.0)
    client_as(oscar).put(f"/api/v1/events/{event.public_id}", {"name": "Renamed meanwhile"})
    text += b"".join(chunks)
    answer.close()
    lines = text.decode().splitlines()
    assert len(lines) in (9_001, 9_002)
    assert "Renamed" not in text.decode()
    assert all(line.count(",") == 5 for line in lines)


def test_an_experiment_that_is_deleted_during_its_export_ends_the_file_at_a_line(lab, oscar, client_as):
    event, run = lab.event(oscar), lab.experiment(oscar, started=NOON)
    first = 1_000_000 * int(NOON.timestamp())
    lab.samples(event, ((first + n * 1000, float(n)) for n in range(9_000)))
    answer = _open(client_as(oscar), run)
    chunks = iter(answer.response)
    text = next(chunks) + next(chunks)
    assert client_as(oscar).delete(f"/api/v1/experiments/{run.public_id}").status_code == 200
    text += b"".join(chunks)
    answer.close()
    assert text.endswith(b"\r\n")
    assert all(line.count(b",") == 5 for line in text.split(b"\r\n")[:-1])
