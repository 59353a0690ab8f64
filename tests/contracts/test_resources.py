"""Every resource can be made, seen, changed and deleted, through JSON and through the pages, with the same outcome."""

from webmacs.factory import RESOURCES

OWN = {"public_id", "created_on", "updated_on", "started_on", "stopped_on", "registered_on"}


def _shape(thing):
    """What two things that were made alike have in common."""
    if isinstance(thing, dict):
        return {
            name: _shape(value) for name, value in thing.items() if name not in OWN and not name.endswith("_public_id")
        }
    return [_shape(item) for item in thing] if isinstance(thing, list) else thing


def _made(client, resource):
    """What the steps made: everybody who is asked to take them is a user, too."""
    mine = client.get("/api/v1/auth/me").json["public_id"]
    listed = client.get(resource.api).json
    assert listed["total"] == len(listed["data"])
    return [thing for thing in listed["data"] if thing["public_id"] != mine]


def _only(client, resource):
    found = _made(client, resource)
    assert len(found) == 1, resource.plural
    return found[0]


def _by_json(client, resource):
    """Create, change, delete by JSON; what it looked like after each step."""
    made = client.post(resource.api, dict(resource.sample))
    assert made.status_code == 201, (resource.name, made.json)
    assert made.json["status"] == "success"
    path = f"{resource.api}/{made.json['public_id']}"
    first = client.get(path).json
    assert _only(client, resource) == first
    shown = {name: value for name, value in resource.sample.items() if name not in resource.unshown}
    assert {name: first.get(name) for name in shown} == shown
    assert first.keys().isdisjoint(resource.unshown)
    changed = client.put(path, dict(resource.change))
    assert (changed.status_code, changed.json["public_id"]) == (200, first["public_id"]), resource.name
    second = client.get(path).json
    assert {name: second[name] for name in resource.change} == dict(resource.change)
    gone = client.delete(path)
    assert (gone.status_code, gone.json["status"]) == (200, "success"), resource.name
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    assert client.put(path, dict(resource.change)).status_code == 404
    assert _made(client, resource) == []
    return _shape(first), _shape(second)


def _by_page(client, browser, resource):
    """The same steps by the forms of the pages."""
    form = browser.visit(f"{resource.page}/new").form(resource.page)
    made = form.submit(**_as_form(form, {**resource.sample, **resource.form}))
    assert made.status_code == 303, (resource.name, made.get_data(as_text=True))
    first = _only(client, resource)
    address = f"{resource.page}/{first['public_id']}"
    assert made.headers["Location"] == address
    where = address if _has_form(browser, address, address) else f"{address}/edit"
    form = browser.visit(where).form(address)
    changed = form.submit(**_as_form(form, resource.change))
    assert (changed.status_code, changed.headers["Location"]) == (303, address), resource.name
    second = _only(client, resource)
    form = browser.visit(f"{address}/delete").form(f"{address}/delete")
    confirmation = {"confirmation": second["name"]} if form.has("confirmation") else {}
    gone = form.submit(**confirmation)
    assert (gone.status_code, gone.headers["Location"]) == (303, resource.page), resource.name
    browser.visit(address, 404)
    assert _made(client, resource) == []
    return _shape(first), _shape(second)


def _as_form(form, fields):
    """JSON values as a browser sends them; a box that is not ticked is left out."""
    boxes = {str(box["name"]) for box in form.tag.select("input[type=checkbox]")}
    sent = {}
    for name, value in fields.items():
        sent[name] = (
            (("y" if value else None) if isinstance(value, bool) else str(value)) if name in boxes else str(value)
        )
    return sent


def _has_form(browser, address, action):
    return any(form.action == action for form in browser.visit(address).forms())


def test_every_resource_goes_full_circle_by_json(lab, ada, client_as):
    for resource in RESOURCES:
        _by_json(client_as(ada), resource)


def test_every_resource_goes_full_circle_by_the_pages_with_the_same_outcome(lab, ada, client_as, browser_as):
    client, browser = client_as(ada), browser_as(ada)
    for resource in RESOURCES:
        assert _by_page(client, browser, resource) == _by_json(client, resource), resource.name
        for event in client.get("/api/v1/events").json["data"]:  # what a plugin instance left behind
            client.delete(f"/api/v1/events/{event['public_id']}")


def test_a_duplicate_name_is_refused_by_both_doors_with_the_same_words(lab, ada, client_as, browser_as):
    client, browser = client_as(ada), browser_as(ada)
    for resource in RESOURCES:
        assert client.post(resource.api, dict(resource.sample)).status_code == 201
        again = client.post(resource.api, dict(resource.sample))
        assert again.status_code == 409, resource.name
        form = browser.visit(f"{resource.page}/new").form(resource.page)
        refused = form.submit(**_as_form(form, {**resource.sample, **resource.form}))
        page = browser.check(refused, resource.page, refused.status_code)
        assert refused.status_code in (409, 422), resource.name  # 422 where the name itself is marked
        assert again.json["detail"] in page.text
        assert len(_made(client, resource)) == 1


def test_an_empty_form_is_refused_on_the_fields_and_keeps_what_was_typed(lab, ada, client_as, browser_as):
    client, browser = client_as(ada), browser_as(ada)
    for resource in RESOURCES:
        form = browser.visit(f"{resource.page}/new").form(resource.page)
        name = next(name for name in resource.sample if name.endswith("name"))
        page = browser.check(form.submit(**{name: ""}), resource.page, 422)
        control = page.form(resource.page).tag.select_one(f"[name={name}]")
        assert control.get("aria-invalid") == "true", resource.name
        assert "Please fill in this field." in page.text
        assert _made(client, resource) == []
