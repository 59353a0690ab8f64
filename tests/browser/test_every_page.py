"""Every page, light and dark, on a phone, a laptop and a wide screen.

With WEBMACS_TEST_PICTURES=1 each is also kept as a picture in tests/.artifacts, to be looked at.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.eyes import alarming, overflow, overlaps, violations
from tests.browser.laboratory import Laboratory
from tests.browser.steps import ready

PICTURES = Path(__file__).parents[1] / ".artifacts"
PICTURES_WANTED = bool(os.environ.get("WEBMACS_TEST_PICTURES"))
SIZES = {360: 780, 1280: 800, 1920: 1080}
THEMES = ("light", "dark")
# Contrast depends on the theme, the rest of what axe looks for on the layout: two runs see both of each.
LOOKED_AT_BY_AXE = {(360, "light"), (1280, "dark")}

PAGES = {
    "overview": "/",
    "channels": "/channels",
    "channels-none": "/channels?q=nothing+has+this+name",
    "channel": "/channels/{channel}",
    "channel-new": "/channels/new",
    "channel-edit": "/channels/{channel}/edit",
    "channel-delete": "/channels/{channel}/delete",
    "experiments": "/experiments",
    "experiment-new": "/experiments/new",
    "experiment-running": "/experiments/{running}",
    "experiment-stopped": "/experiments/{stopped}",
    "experiment-delete": "/experiments/{stopped}/delete",
    "data": "/data",
    "data-filtered": "/data?experiment_public_id={stopped}&start=2026-01-01T00:00:00",
    "data-none": "/data?stop=2001-01-01T00:00:00",
    "exports": "/exports",
    "export-new": "/exports/new",
    "imports": "/imports",
    "logs": "/logs",
    "audit": "/audit",
    "audit-none": "/audit?who=nobody+of+this+name",
    "plugins": "/plugins",
    "plugin": "/plugins/{plant}",
    "plugin-disabled": "/plugins/{spare}",
    "plugin-new": "/plugins/new",
    "plugin-edit": "/plugins/{spare}/edit",
    "plugin-delete": "/plugins/{spare}/delete",
    "users": "/users",
    "users-none": "/users?q=nobody+of+this+name",
    "user": "/users/{user}",
    "user-new": "/users/new",
    "user-edit": "/users/{user}/edit",
    "user-delete": "/users/{user}/delete",
    "invitation-new": "/invitations/new",
    "invitation": "/invitation",
    "password-forgotten": "/forgot-password",
    "password-new": "/reset-password",
    "roles": "/roles",
    "organizations": "/organizations",
    "profile": "/profile",
    "tokens": "/profile/tokens",
    "second-factor": "/profile/second-factor",
    "confirm": "/profile/confirm?next=/profile/second-factor",
    "missing": "/channels/evt_nothing",
    "patterns": "/dev/patterns",
    "reference": "/docs",
}


def settled(page: Page) -> Page:
    """The page with its values live and its charts drawn; nothing moves that is not a value."""
    if page.locator("[data-live-mode]").count():
        ready(page)
    if page.locator("[data-openapi]").count():
        expect(page.locator(".opblock-tag").first).to_be_visible()
    for figure in page.locator("[data-figure]").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".skeleton")).to_have_count(0)
    for chart in page.locator("[data-live-chart]").all():
        expect(chart.locator(".chart__panels .skeleton")).to_have_count(0)
    page.evaluate("scrollTo(0, 0)")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_pageis_whole_in_every_size_and_theme(name: str, lab: Laboratory, look: Visit) -> None:
    is_whole(settled(look(PAGES[name].format(**lab.furniture))), name)


def test_the_sign_inis_whole_in_every_size_and_theme(visit: Visit) -> None:
    is_whole(visit("/login?next=/data", None, reduced_motion="reduce"), "login")


def is_whole(page: Page, name: str) -> None:
    """Check the page in every size and theme."""
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("h1")).to_be_visible()
    found = []
    for width, height in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            where = f"{name}-{width}-{theme}"
            if theme == "light":  # boxes have no theme
                found += [f"{where}: {line}" for line in (*overflow(page), *overlaps(page))]
            if (width, theme) in LOOKED_AT_BY_AXE or PICTURES_WANTED:
                page.emulate_media(color_scheme=theme)
            if (width, theme) in LOOKED_AT_BY_AXE:
                found += [f"{where}: {line}" for line in violations(page)]
            if PICTURES_WANTED:
                PICTURES.mkdir(exist_ok=True)
                page.screenshot(path=PICTURES / f"{where}.png", full_page=True, animations="disabled")
    assert found == [], "\n".join(found)


def test_a_plant_at_rest_shows_no_alarm_colour(lab: Laboratory, look: Visit) -> None:
    assert lab.furniture
    page = settled(look("/"))
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        assert alarming(page) == (0, []), theme


def test_alarm_colours_are_seen_where_alarms_are(look: Visit) -> None:
    page = look("/dev/patterns")
    count, _ = alarming(page, "#states")
    assert count > 500
