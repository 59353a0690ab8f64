"""The pages of the audit trail."""

from webmacs.features.events import operations as events
from webmacs.features.events.schemas import EventPatch


def test_the_trail_is_listed_newest_first_with_links_to_the_entries(lab, ada, browser_as, trail):
    lab.event(ada, name="Inlet")
    page = browser_as(ada).visit("/audit")
    newest = trail(ada)[-1]
    assert page.soup.select_one("tbody a")["href"] == f"/audit/{newest.public_id}"
    assert "Channel created" in page.text
    assert "Inlet" in page.text


def test_a_change_shows_what_was_and_what_is_side_by_side(lab, ada, browser_as, trail):
    event = lab.event(ada, name="Inlet")
    with lab.arrival():
        events.change(ada.actor, event.public_id, EventPatch(name="Outlet"))
    page = browser_as(ada).visit(f"/audit/{trail(ada)[-1].public_id}")
    cells = [cell.text for cell in page.soup.select("tbody tr th, tbody tr td")]
    assert cells == ["Name", "Inlet", "Outlet"]


def test_the_filters_choose_and_stay_in_the_links_for_download(lab, ada, vera, client_as, browser_as):
    lab.event(ada, name="Inlet")
    client_as(vera).get("/api/v1/users")
    browser = browser_as(ada)
    page = browser.visit("/audit?outcome=refused")
    assert "GET /api/v1/users" in page.text
    assert "Inlet" not in page.text
    links = [a["href"] for a in page.soup.select("a[href^='/api/v1/audit/export']")]
    assert len(links) == 2
    assert all("outcome=refused" in link for link in links)
    assert "Inlet" in browser.visit("/audit?kind=event").text
    assert "No entry matches" in browser.visit("/audit?who=nobody-of-that-name").text


def test_a_long_trail_is_read_page_by_page(lab, ada, browser_as):
    for number in range(6):
        lab.event(ada, name=f"Channel {number}")
    browser, seen, address = browser_as(ada), [], "/audit?kind=event&page_size=2"
    for _ in range(3):
        page = browser.visit(address)
        seen += [cell.text for cell in page.soup.select("td[data-label=Name]")]
        older = [a["href"] for a in page.soup.select("nav.pages a") if "Older" in a.text]
        address = older[0] if older else None
    assert seen == [f"Channel {number}" for number in reversed(range(6))]
    assert address is None


def test_what_a_stranger_typed_is_text(ada, client_as, browser_as, trail):
    address = "<script>alert(1)</script>@x"
    client_as(None).post("/api/v1/auth/login", {"email": address, "password": "wrong"})
    browser = browser_as(ada)
    for path in ("/audit", f"/audit/{trail()[-1].public_id}"):
        page = browser.visit(path)
        assert "<script>alert" not in page.html
        assert address in page.text


def test_only_administrators_are_led_there(ada, vera, browser_as):
    assert "/audit" in browser_as(ada).visit("/").links()
    assert "/audit" not in browser_as(vera).visit("/").links()
