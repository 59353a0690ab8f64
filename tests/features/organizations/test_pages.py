"""The pages of organizations and the switcher, as a browser without JavaScript uses them."""

from tests.make import statements


def test_the_switcher_is_hidden_from_those_who_have_one_organization(ada, eve, browser_as):
    page = browser_as(ada).visit("/")
    assert page.soup.select_one("#workplace-menu") is None
    assert "Laboratory" not in page.soup.select_one("header").text


def test_the_switcher_leads_to_the_overview_of_the_other_organization(lab, ada, oscar, eve, browser_as, client_as):
    lab.join(oscar, "Elsewhere")
    lab.event(eve, name="Theirs")
    browser = browser_as(oscar)
    page = browser.visit("/channels")
    assert page.soup.select_one(".workplace__name").text == "Laboratory"
    action = f"/organizations/{lab.organization_id_of(eve)}/enter"
    assert page.form(action).submit().headers["Location"] == "/"
    page = browser.visit("/channels")
    assert page.soup.select_one(".workplace__name").text == "Elsewhere"
    assert "Theirs" in page.text


def _statements_of_a_page(app, browser):
    app.extensions["webmacs.credentials"].forget()
    with statements() as asked:
        browser.visit("/roles")
    with statements() as again:
        browser.visit("/roles")
    return len(asked), len(again)


def test_the_switcher_costs_one_statement_where_there_are_several_and_then_none(app, lab, oscar, browser_as):
    browser = browser_as(oscar)
    asked, again = _statements_of_a_page(app, browser)
    lab.join(oscar, "Elsewhere")
    assert _statements_of_a_page(app, browser) == (asked + 1, again)
    assert browser.visit("/roles").soup.select_one("#workplace-menu") is not None


def test_of_many_organizations_the_switcher_shows_some_and_the_page_all(lab, ada, browser_as):
    for number in range(30):
        lab.organization(f"Plant {number:02}")
    lab.chief(ada)
    page = browser_as(ada).visit("/organizations")
    assert len(page.soup.select("#workplace-menu form")) == 19
    assert page.soup.select_one(".workplace__name").text == "Laboratory"
    assert len(page.soup.select("main tbody tr")) == 31


def test_an_organization_is_made_renamed_and_entered_on_the_page(lab, ada, browser_as, client_as):
    lab.chief(ada)
    browser = browser_as(ada)
    assert browser.visit("/organizations").form("/organizations").submit(name="Pilot plant").status_code == 303
    again = browser.visit("/organizations").form("/organizations").submit(name="pilot PLANT")
    assert "Organization already exists." in browser.check(again, "/organizations", 422).text
    public_id = next(p["public_id"] for p in client_as(ada).get("/api/v1/organizations").json if not p["is_current"])
    path = f"/organizations/{public_id}"
    page = browser.visit(f"{path}/edit")
    assert page.form(path).submit(name="Plant 2").headers["Location"] == "/organizations"
    refused = browser.visit(f"{path}/edit").form(path).submit(name="Laboratory")
    assert "Organization already exists." in browser.check(refused, path, 422).text
    browser.check(browser.visit(f"{path}/edit").form(path).submit(name=" "), path, 422)
    assert browser.visit("/organizations").form(f"{path}/enter").submit().headers["Location"] == "/"
    assert "Plant 2" in browser.visit("/").soup.select_one("header").text


def test_a_member_of_two_sees_them_and_may_not_rename(lab, oscar, eve, browser_as):
    lab.join(oscar, "Elsewhere")
    page = browser_as(oscar).visit("/organizations")
    assert [row.th.text.split("You")[0].strip() for row in page.soup.select("main tbody tr")] == [
        "Elsewhere",
        "Laboratory",
    ]
    assert not [path for path in page.links() if path.endswith("/edit")]
    theirs = lab.organization_id_of(eve)
    assert browser_as(oscar).post(f"/organizations/{theirs}", {"name": "Mine"}).status_code == 403


def test_nobody_enters_by_the_page_where_they_do_not_belong(lab, oscar, eve, browser_as):
    assert browser_as(oscar).post(f"/organizations/{lab.organization_id_of(eve)}/enter").status_code == 404
