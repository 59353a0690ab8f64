"""`webmacs audit verify` and `webmacs audit export`."""

import json

import pytest
from click.testing import CliRunner

from webmacs.features.audit import cli


@pytest.fixture
def run(app):
    """Runs a command of the group over the application of the test."""
    return lambda *words: CliRunner().invoke(cli.group(lambda: app), list(words))


def test_a_whole_trail_is_said_to_be_complete(lab, ada, run, trail):
    lab.event(ada)
    count = len(trail(ada)) + len(trail())
    done = run("verify")
    assert (done.exit_code, done.output) == (0, f"{count} entries, complete.\n")


def test_the_first_broken_link_is_named(lab, ada, run, tamper):
    lab.event(ada)
    tamper(f"UPDATE audit_entries SET new = '1' WHERE chain = {ada.actor.organization_id} AND number >= 3")  # noqa: S608 - a number of ours
    done = run("verify")
    assert done.exit_code == 1
    assert "BROKEN: Organization 'Laboratory', entry 3: its content does not fit its seal" in done.output
    assert "entry 4" not in done.output


def test_the_export_holds_every_organization(lab, ada, eve, run):
    lab.event(ada, name="Here")
    lab.event(eve, name="There")
    done = run("export")
    assert done.exit_code == 0
    names = [json.loads(line)["object_name"] for line in done.output.splitlines()]
    assert {"Here", "There"} <= set(names)
    assert run("export", "--format", "csv").output.startswith("organization_chain,number,")
