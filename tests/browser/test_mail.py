"""Invited by mail, and a forgotten password: from the letter to the page, with the worker that really sends it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import postoffice
from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory, wait_until
from tests.browser.steps import heading, row, sign_in
from tests.postoffice import PostOffice

Place = tuple[Laboratory, PostOffice]
NEW = "grace@lab.example"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A WebMACS that sends mails, and where they arrive."""
    port = postoffice.free_port()
    with postoffice.opened() as office:
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_SECURITY": "none"}
        mail |= {"SMTP_FROM": postoffice.SENDER, "WEBMACS_PUBLIC_URL": f"http://127.0.0.1:{port}"}
        laboratory = Laboratory(tmp_path / "data", WEBMACS_PORT=str(port), **mail)
        laboratory.port = port
        try:
            laboratory.start()
            yield laboratory, office
        finally:
            laboratory.end()


def _link(office: PostOffice, number: int) -> str:
    """The link in the letter of this number, once it has arrived."""
    wait_until(lambda: len(office.letters) > number, "the letter arrives")
    body = office.letters[number].get_body(("plain",))
    assert body is not None
    found = re.search(r"http\S+#\S+", body.get_content())
    assert found
    return found[0]


def test_somebody_is_invited_joins_and_forgets_the_password(place: Place, visit: Visit) -> None:
    laboratory, office = place
    admin = visit("/login", None, at=laboratory)
    sign_in(admin, laboratory.mail("ada"))
    heading(admin, "Overview")
    admin.goto("/users")
    admin.get_by_role("link", name="Invite").click()
    admin.get_by_label("E-mail").fill(NEW)
    admin.get_by_label("Role").select_option("operator")
    admin.get_by_role("button", name="Send invitation").click()
    heading(admin, "Users")
    expect(row(admin, NEW)).to_be_visible()

    link = _link(office, 0)
    code = link.partition("#")[2]
    page = visit("/login", None, at=laboratory)
    page.goto(link)
    expect(page.get_by_label("Invitation code")).to_have_value(code)
    assert page.url == f"{laboratory.url}/invitation"  # gone from the address
    page.get_by_role("button", name="Continue").click()
    heading(page, "Join Laboratory")
    page.get_by_label("Your name").fill("grace")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Join").click()
    heading(page, "Overview")
    admin.reload()
    expect(row(admin, NEW)).to_contain_text("Operator")

    other = visit("/login", None, at=laboratory)
    other.get_by_role("link", name="Forgotten password?").click()
    other.get_by_label("E-mail").fill(NEW)
    other.get_by_role("button", name="Send a link").click()
    expect(other.get_by_role("status").filter(has_text="a mail with a link is on its way")).to_be_visible()
    reset = _link(office, 1)
    other.goto(reset)
    expect(other.get_by_label("Code")).to_have_value(reset.partition("#")[2])
    other.get_by_label("New password").fill("quite another password")
    other.get_by_role("button", name="Change password").click()
    heading(other, "Sign in")
    sign_in(other, NEW, "quite another password")
    heading(other, "Overview")
    page.goto("/channels")
    heading(page, "Sign in")  # the earlier session has ended
    wait_until(lambda: len(office.letters) == 3, "the notice arrives")
    assert office.letters[2]["Subject"] == "Your WebMACS password was changed"
    for secret in (code, reset.partition("#")[2]):
        assert secret not in laboratory.log


def test_it_works_without_javascript(place: Place, visit: Visit) -> None:
    laboratory, office = place
    body = {"email": NEW, "role": "viewer"}
    laboratory.call("POST", "/api/v1/invitations", body)
    code = _link(office, 0).partition("#")[2]
    page = visit("/invitation", None, at=laboratory, java_script_enabled=False)
    page.get_by_label("Invitation code").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Your name").fill("grace")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Join").click()
    heading(page, "Overview")
