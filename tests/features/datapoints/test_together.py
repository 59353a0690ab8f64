"""Many senders at the same time: nothing lost, nothing doubled, nobody waits for ever."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.make import NOON, Api
from webmacs.core import clock

DATAPOINTS = "/api/v1/datapoints"


def _in_threads(*works):
    """Run the functions at the same moment; what one of them raises, this raises."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result(60)


def test_senders_that_repeat_each_other_in_any_order_record_everything_once(app, lab, oscar, client_as):
    events = [lab.event(oscar) for _ in range(4)]
    start = clock.to_micros(NOON) // 1000
    wanted = {(event.public_id, start + n): float(n) for event in events for n in range(30)}
    statuses = []

    def sender(seed):
        client, chance = Api(app, oscar.bearer), random.Random(seed)

        def send():
            for _ in range(4):
                items = list(wanted.items())
                chance.shuffle(items)
                batch = [{"event_public_id": e, "timestamp": t, "value": v} for (e, t), v in items]
                statuses.append(client.post(f"{DATAPOINTS}/batch", {"datapoints": batch}).status_code)

        return send

    _in_threads(*(sender(seed) for seed in range(4)))
    assert statuses == [201] * 16
    found = client_as(oscar).get(DATAPOINTS, query_string={"page_size": 100}).json
    assert found["total"] == len(wanted)
    latest = client_as(oscar).get(f"{DATAPOINTS}/latest").json
    assert [point["value"] for point in latest] == [29.0] * 4


def test_the_latest_is_the_newest_however_the_senders_meet(app, lab, oscar, client_as):
    event = lab.event(oscar)
    start = clock.to_micros(NOON) // 1000

    def sender(first):
        client = Api(app, oscar.bearer)

        def send():
            for n in range(first, 60, 4):
                point = {"event_public_id": event.public_id, "timestamp": start + n, "value": n}
                assert client.post(DATAPOINTS, point).status_code == 201

        return send

    _in_threads(*(sender(first) for first in range(4)))
    assert client_as(oscar).get(f"{DATAPOINTS}/latest").json[0]["value"] == 59
    assert client_as(oscar).get(DATAPOINTS).json["total"] == 60


def test_reading_goes_on_while_others_write(app, lab, oscar):
    event = lab.event(oscar)
    seen = []

    def write():
        client = Api(app, oscar.bearer)
        for n in range(25):
            assert client.post(DATAPOINTS, {"event_public_id": event.public_id, "value": n}).status_code == 201

    def read():
        client = Api(app, oscar.bearer)
        seen.extend(client.get(DATAPOINTS, query_string={"page_size": 1}).json["total"] for _ in range(25))

    _in_threads(write, read, read)
    assert max(seen) <= 25


def test_a_channel_that_is_deleted_while_it_sends_leaves_no_values(app, lab, oscar, client_as):
    for _ in range(5):
        event, statuses = lab.event(oscar), []

        def send(event=event, statuses=statuses):
            client = Api(app, oscar.bearer)
            for n in range(10):
                point = {"event_public_id": event.public_id, "value": n}
                statuses.append(client.post(DATAPOINTS, point).status_code)

        def delete(event=event):
            assert Api(app, oscar.bearer).delete(f"/api/v1/events/{event.public_id}").status_code == 200

        _in_threads(send, delete)
        assert set(statuses) <= {201, 404}
    assert client_as(oscar).get(f"{DATAPOINTS}/latest").json == []
    assert client_as(oscar).get("/health").json["last_datapoint"] is None


def test_an_instance_that_is_disabled_while_its_channels_send_takes_nothing_afterwards(app, lab, ada, client_as):
    event, instance = lab.event(ada), lab.instance(ada)
    lab.mapping(ada, instance, event)
    statuses = []

    def send():
        client = Api(app, ada.bearer)
        points = ({"event_public_id": event.public_id, "value": n} for n in range(20))
        statuses.extend(client.post(DATAPOINTS, point).status_code for point in points)

    def disable():
        path = f"/api/v1/plugins/{instance.public_id}"
        assert Api(app, ada.bearer).put(path, {"enabled": False}).status_code == 200

    _in_threads(send, disable)
    assert set(statuses) <= {201, 409}
    assert statuses == sorted(statuses)
    assert client_as(ada).get(DATAPOINTS).json["total"] == statuses.count(201)


def test_experiments_that_stop_while_values_arrive_keep_what_lies_within(app, lab, oscar, client_as):
    event, run = lab.event(oscar), lab.experiment(oscar, "Run")

    def send():
        client = Api(app, oscar.bearer)
        for n in range(20):
            assert client.post(DATAPOINTS, {"event_public_id": event.public_id, "value": n}).status_code == 201

    def stop():
        assert Api(app, oscar.bearer).put(f"/api/v1/experiments/{run.public_id}/stop").status_code == 200

    _in_threads(send, stop)
    client = client_as(oscar)
    stopped = client.get(f"/api/v1/experiments/{run.public_id}").json["stopped_on"]
    for point in client.get(DATAPOINTS, query_string={"page_size": 100}).json["data"]:
        belongs = point["experiment_public_id"] == run.public_id
        assert belongs == (point["timestamp"] <= stopped)
