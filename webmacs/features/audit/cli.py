"""`webmacs audit`: whether the trail is whole, and the trail itself."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask


def group(create: Callable[[], "Flask"]) -> click.Group:
    """The commands over an application."""

    @click.group()
    def audit() -> None:
        """The audit trail."""

    @audit.command()
    def verify() -> None:
        """Walk the whole audit trail. Names the first broken link of each chain and exits with 1 when there is one."""
        from webmacs.core.db import transaction  # only here: importing the command must stay light for the supervisor
        from webmacs.features.audit import queries

        with create().app_context(), transaction(write=False):
            verdict = queries.verify()
        for broken in verdict.broken:
            click.echo(f"BROKEN: {broken}.")
        if verdict.broken:
            click.echo(f"{verdict.entries} entries hold; the trail is not complete.")
            sys.exit(1)
        click.echo(f"{verdict.entries} entries, complete.")

    @audit.command()
    @click.option(
        "--format",
        "form",
        type=click.Choice(["csv", "ndjson"]),
        default="ndjson",
        show_default=True,
        help="CSV, or a JSON document on each line.",
    )
    def export(form: str) -> None:
        """Write all entries of all organizations to standard output, oldest first."""
        from webmacs.features.audit import queries  # only here: see verify

        with create().app_context():
            for chunk in queries.text_chunks(queries.plan_of_everything(), form):
                click.echo(chunk, nl=False)

    return audit
