"""The log book: what writes into it, and how it is read."""

LOGGING = "/api/v1/logging"


def _contents(client, query=""):
    return [entry["content"] for entry in client.get(f"{LOGGING}{query}").json["data"]]


def test_an_entry_is_an_unread_info_unless_told(oscar, client_as):
    client = client_as(oscar)
    made = client.post(LOGGING, {"content": "Valve greased"})
    assert (made.status_code, made.json["message"]) == (201, "LogEntry successfully created.")
    entry = client.get(f"{LOGGING}/{made.json['public_id']}").json
    assert (entry["logging_type"], entry["status_type"]) == ("info", "unread")
    assert entry["user_public_id"] == oscar.public_id


def test_an_entry_is_ticked_off_and_corrected(oscar, vera, client_as):
    client = client_as(oscar)
    public_id = client.post(LOGGING, {"content": "Vavle greased"}).json["public_id"]
    assert client.put(f"{LOGGING}/{public_id}", {"status_type": "read"}).status_code == 200
    assert client.put(f"{LOGGING}/{public_id}", {"content": "Valve greased"}).status_code == 200
    entry = client_as(vera).get(f"{LOGGING}/{public_id}").json
    assert (entry["content"], entry["status_type"]) == ("Valve greased", "read")
    assert client_as(vera).put(f"{LOGGING}/{public_id}", {"status_type": "unread"}).status_code == 403


def test_bad_entries_are_refused_on_create_and_on_update(oscar, client_as):
    client = client_as(oscar)
    public_id = client.post(LOGGING, {"content": "x"}).json["public_id"]
    bad = ({"content": ""}, {"content": "x" * 501}, {"content": "a\x00b"}, {"content": None})
    for body in bad:
        assert client.post(LOGGING, body).status_code == 422
        assert client.put(f"{LOGGING}/{public_id}", body).status_code == 422
    assert client.post(LOGGING, {"content": "x", "logging_type": "fatal"}).status_code == 422
    assert client.post(LOGGING, {"content": "x" * 500}).status_code == 201
    assert client.delete(f"{LOGGING}/{public_id}").status_code == 405


def test_the_newest_comes_first_and_filters_narrow(oscar, lab, client_as):
    client = client_as(oscar)
    for content, kind in (("one 100%", "info"), ("two", "warning"), ("three", "error")):
        lab.log(oscar, content, logging_type=kind)
    assert _contents(client) == ["three", "two", "one 100%"]
    assert _contents(client, "?logging_type=warning") == ["two"]
    assert _contents(client, "?q=THR") == ["three"]
    assert _contents(client, "?q=%25") == ["one 100%"], "a percent sign is text, not a pattern"
    assert _contents(client, "?page_size=2&page=2") == ["one 100%"]


def test_marking_all_read_leaves_other_organizations_alone(oscar, eve, lab, browser_as, client_as):
    lab.log(oscar, "ours")
    lab.log(eve, "theirs")
    browser_as(oscar).post("/logs/read-all", {})
    assert _contents(client_as(oscar), "?status_type=unread") == []
    assert _contents(client_as(eve), "?status_type=unread") == ["theirs"]


def test_signing_in_and_running_experiments_write_entries(oscar, client_as):
    client = client_as(oscar)
    client.post("/api/v1/auth/login", {"email": oscar.email, "password": "wrong password"})
    public_id = client.post("/api/v1/experiments", {"name": "Run 07"}).json["public_id"]
    client.put(f"/api/v1/experiments/{public_id}/stop")
    assert _contents(client) == ["Experiment 'Run 07' stopped.", "Experiment 'Run 07' started."]


def test_entries_outlive_their_author(ada, oscar, client_as):
    client_as(oscar).post(LOGGING, {"content": "I was here"})
    client_as(ada).delete(f"/api/v1/users/{oscar.public_id}")
    entry = client_as(ada).get(LOGGING).json["data"][0]
    assert (entry["content"], entry["user_public_id"]) == ("I was here", None)
