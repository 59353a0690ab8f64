"""The bulk route: NDJSON, Arrow and Parquet, all good items together or none."""

import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from tests.make import Api
from webmacs.ingest.formats import PARSERS

BULK, DATAPOINTS = "/api/v1/datapoints/bulk", "/api/v1/datapoints"
NDJSON = "application/x-ndjson"
START = 1_763_640_000_000_000  # microseconds


def _table(events, count):
    return pa.table(
        {
            "event_public_id": pa.array([events[n % len(events)] for n in range(count)]).dictionary_encode(),
            "value": pa.array([n * 0.5 for n in range(count)]),
            "timestamp": pa.array([START + n for n in range(count)], pa.timestamp("us", "UTC")),
        }
    )


def _as_ndjson(table):
    columns = table.to_pydict()
    rows = zip(columns["event_public_id"], columns["value"], columns["timestamp"], strict=True)
    lines = [json.dumps({"event_public_id": e, "value": v, "timestamp": t.isoformat()}) for e, v, t in rows]
    return "\n".join(lines).encode()


def _as_stream(table):
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    return sink.getvalue()


def _as_file(table):
    sink = io.BytesIO()
    with ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _as_parquet(table):
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


WRITERS = dict(zip(PARSERS, (_as_ndjson, _as_stream, _as_file, _as_parquet), strict=True))


def _push(client, body, media=NDJSON, **others):
    return client.send("POST", BULK, data=body, content_type=media, **others)


def _total(client, event):
    return client.get(DATAPOINTS, query_string={"event_public_id": event.public_id}).json["total"]


@pytest.mark.parametrize("media", list(PARSERS))
def test_every_format_brings_the_same_values_however_often(lab, oscar, client_as, media):
    one, two = lab.event(oscar), lab.event(oscar)
    body = WRITERS[media](_table([one.public_id, two.public_id], 3000))
    for _ in range(2):
        answer = _push(client_as(oscar), body, media)
        assert (answer.status_code, answer.json["accepted"], answer.json["rejected_count"]) == (201, 3000, 0)
        assert answer.json["message"].split()[0] == "3000"
    assert (_total(client_as(oscar), one), _total(client_as(oscar), two)) == (1500, 1500)
    newest = {p["event_public_id"]: p for p in client_as(oscar).get("/api/v1/datapoints/latest").json}
    moment = datetime.fromtimestamp(START // 1_000_000, UTC).replace(microsecond=2999).isoformat()
    assert newest[two.public_id]["value"] == 1499.5
    assert newest[two.public_id]["timestamp"] == moment.replace("+00:00", "Z")


def test_lines_that_do_not_fit_are_listed_and_spoil_nothing(lab, oscar, client_as):
    event = lab.event(oscar)
    good = json.dumps({"event_public_id": event.public_id, "value": 1, "timestamp": 1_763_640_000})
    lines = [
        good,
        "no JSON",
        json.dumps({"event_public_id": "evt_none", "value": 1}),
        '{"event_public_id": "x"}',
        good.replace("1763640000", '"noon"'),
        json.dumps({"event_public_id": event.public_id, "value": 2}),
    ]
    answer = _push(client_as(oscar), "\n".join(lines).encode())
    assert (answer.status_code, answer.json["accepted"], answer.json["rejected_count"]) == (201, 2, 4)
    assert [item["index"] for item in answer.json["rejected"]] == [1, 2, 3, 4]
    assert answer.json["rejected"][1]["reason"] == "unknown event"
    assert _total(client_as(oscar), event) == 2


def test_no_more_than_a_hundred_refusals_are_listed(oscar, client_as):
    answer = _push(client_as(oscar), b"nonsense\n" * 500)
    assert (answer.json["accepted"], answer.json["rejected_count"], len(answer.json["rejected"])) == (0, 500, 100)


def test_values_that_are_not_finite_or_null_are_rejected(lab, oscar, client_as):
    event = lab.event(oscar)
    ids = pa.array([event.public_id] * 3 + [None])
    table = pa.table({"event_public_id": ids, "value": pa.array([1.0, float("nan"), None, 2.0])})
    answer = _push(client_as(oscar), _as_stream(table), "application/vnd.apache.arrow.stream")
    assert (answer.json["accepted"], [item["index"] for item in answer.json["rejected"]]) == (1, [1, 2, 3])


@pytest.mark.parametrize("media", list(PARSERS))
def test_values_in_any_order_and_twice_are_the_same_values(lab, oscar, client_as, media):
    events = [lab.event(oscar), lab.event(oscar)]
    table = _table([event.public_id for event in events], 3000)
    table = pa.concat_tables([table.slice(1500), table.slice(0, 2000)]).combine_chunks()
    answer = _push(client_as(oscar), WRITERS[media](table), media)
    assert (answer.json["accepted"], answer.json["rejected_count"]) == (3500, 0)
    assert [_total(client_as(oscar), event) for event in events] == [1500, 1500]
    newest = {p["event_public_id"]: p["value"] for p in client_as(oscar).get("/api/v1/datapoints/latest").json}
    assert newest == {events[0].public_id: 1499.0, events[1].public_id: 1499.5}


@pytest.mark.parametrize("media", list(PARSERS))
def test_among_thousands_the_few_that_do_not_fit_are_named(lab, oscar, client_as, media):
    event = lab.event(oscar)
    table = _table([event.public_id], 3000)
    names = table.column("event_public_id").cast("string").to_pylist()
    names[2500] = "evt_none"
    table = table.set_column(0, "event_public_id", pa.array(names))
    answer = _push(client_as(oscar), WRITERS[media](table), media)
    assert (answer.json["accepted"], answer.json["rejected"]) == (2999, [{"index": 2500, "reason": "unknown event"}])
    assert _total(client_as(oscar), event) == 2999


def test_a_limited_token_brings_thousands_into_its_channels_only(app, lab, ada, client_as):
    mine, other, heater = lab.event(ada), lab.event(ada), lab.event(ada, type="actuator")
    table = _table([mine.public_id, other.public_id, heater.public_id], 6000)
    stream = "application/vnd.apache.arrow.stream"
    for limits, accepted in (({"events": [mine.public_id]}, [mine]), ({"scopes": ["ingest"]}, [mine, other])):
        answer = _push(Api(app, lab.token(ada, **limits)[1]), _as_stream(table), stream)
        assert (answer.json["accepted"], answer.json["rejected_count"]) == (
            2000 * len(accepted),
            6000 - 2000 * len(accepted),
        )
        assert [_total(client_as(ada), event) for event in (mine, other, heater)] == [
            2000 * (event in accepted) for event in (mine, other, heater)
        ]


def test_columns_of_every_kind_are_read_from_where_they_begin(lab, oscar, client_as):
    """Small numbers, batches cut out of larger ones, texts that are a dictionary and that are not."""
    event = lab.event(oscar)
    ids = pa.array([event.public_id] * 3000)
    for number, (texts, values) in enumerate(
        (
            (ids, pa.array(range(3000), pa.int16())),
            (ids.dictionary_encode(), pa.array([float(n) for n in range(3000)], pa.float32())),
            (ids.cast("large_string"), pa.array([n + 0.5 for n in range(3000)])),
        )
    ):
        moments = pa.array([START + number * 10_000 + n for n in range(3000)])
        table = pa.table({"event_public_id": texts, "value": values, "timestamp": moments}).slice(1000)
        body = _as_stream(table)
        answer = _push(client_as(oscar), body, "application/vnd.apache.arrow.stream")
        assert (answer.status_code, answer.json["accepted"]) == (201, 2000)
        newest = client_as(oscar).get("/api/v1/datapoints/latest").json[0]
        assert newest["value"] == values[2999].as_py()
        assert newest["timestamp"].endswith(f".0{number}2999Z")
    assert _total(client_as(oscar), event) == 6000


@pytest.mark.parametrize("media", [media for media in PARSERS if media != NDJSON])
@pytest.mark.parametrize("body", [b"", b"nonsense" * 100, b"ARROW1", b"PAR1"])
def test_a_file_that_cannot_be_read_is_refused(oscar, client_as, media, body):
    answer = _push(client_as(oscar), body, media)
    assert answer.status_code == 422
    assert answer.json["detail"]


@pytest.mark.parametrize("media", [media for media in PARSERS if media != NDJSON])
def test_a_file_cut_short_leaves_nothing_behind(lab, oscar, client_as, media):
    event = lab.event(oscar)
    body = WRITERS[media](_table([event.public_id], 5000))
    assert _push(client_as(oscar), body[: len(body) * 2 // 3], media).status_code == 422
    assert _total(client_as(oscar), event) == 0


@pytest.mark.parametrize("missing", ["event_public_id", "value"])
def test_a_missing_column_is_named(lab, oscar, client_as, missing):
    table = _table([lab.event(oscar).public_id], 2).drop_columns([missing])
    answer = _push(client_as(oscar), _as_parquet(table), "application/vnd.apache.parquet")
    assert answer.status_code == 422
    assert missing in json.dumps(answer.json["detail"])


def test_a_column_of_the_wrong_kind_is_named(lab, oscar, client_as):
    event = lab.event(oscar)
    for name, column in (("value", pa.array(["high"])), ("timestamp", pa.array(["noon"]))):
        table = pa.table({"event_public_id": pa.array([event.public_id]), "value": pa.array([1.0])})
        table = table.drop_columns([name]) if name in table.column_names else table
        answer = _push(
            client_as(oscar), _as_stream(table.append_column(name, column)), "application/vnd.apache.arrow.stream"
        )
        assert answer.status_code == 422
        assert name in json.dumps(answer.json["detail"])


def test_whole_numbers_are_microseconds(lab, oscar, client_as):
    event = lab.event(oscar)
    table = _table([event.public_id], 3)
    table = table.set_column(2, "timestamp", table.column("timestamp").cast("int64"))
    assert _push(client_as(oscar), _as_parquet(table), "application/vnd.apache.parquet").json["accepted"] == 3
    newest = client_as(oscar).get("/api/v1/datapoints/latest").json[0]
    assert newest["timestamp"].startswith("2025-11-20T12:00:00.000002")


def test_another_content_type_is_refused_with_those_that_are_known(oscar, client_as):
    answer = _push(client_as(oscar), b"{}", "application/json")
    assert answer.status_code == 422
    assert NDJSON in json.dumps(answer.json["detail"])


def test_a_viewer_may_not_push_and_an_organization_does_not_know_anothers_channels(lab, ada, vera, eve, client_as):
    event = lab.event(ada)
    line = json.dumps({"event_public_id": event.public_id, "value": 1}).encode()
    assert _push(client_as(vera), line).status_code == 403
    assert _push(client_as(eve), line).json["rejected"] == [{"index": 0, "reason": "unknown event"}]
    assert _total(client_as(ada), event) == 0


def test_a_body_above_the_limit_is_refused(app, oscar, client_as):
    app.config["MAX_BULK_BYTES"], before = 65_536, app.config["MAX_BULK_BYTES"]
    try:
        assert _push(client_as(oscar), b" " * 65_537).status_code == 413
    finally:
        app.config["MAX_BULK_BYTES"] = before
    assert _push(client_as(oscar), b"\n" * 3_000_000).status_code == 201  # more than other routes take


def test_a_repeated_key_gets_the_first_answer_and_records_nothing_twice(lab, oscar, client_as):
    event = lab.event(oscar)
    line = json.dumps({"event_public_id": event.public_id, "value": 1}).encode()
    headers = {"Idempotency-Key": "once"}
    answers = [_push(client_as(oscar), line, headers=headers) for _ in range(2)]
    assert [answer.json for answer in answers] == [answers[0].json] * 2
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert (answers[0].json["accepted"], _total(client_as(oscar), event)) == (1, 1)
