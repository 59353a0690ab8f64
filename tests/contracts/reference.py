"""The tables of docs/reference, made from what they describe; `python -m tests.contracts.reference` renews them."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from flask import Flask
from pydantic_core import PydanticUndefined

from webmacs.__main__ import _create_app, _create_server
from webmacs.api import openapi
from webmacs.cli import build
from webmacs.core.identity import Role
from webmacs.core.permissions import GRANTS, INSTALLATION_ADMIN, SCOPE_OF, Access, Can
from webmacs.settings import Settings

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    return _row(*heads) + _row(*["---"] * len(heads)) + "".join(_row(*row) for row in rows)


def settings(_app: Flask) -> str:
    """Variable, default, meaning of every setting."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, variable in Settings.variables().items():
            field = Settings.model_fields[name]
            yield f"`{variable}`", _default(field.default), f"{field.description}.{_bounds(field.metadata)}"

    return _table(("variable", "default", "meaning"), rows())


def _default(value: Any) -> str:
    if value in (None, "", (), {}, PydanticUndefined):
        return "–"
    return f"`{int(value) if isinstance(value, bool) else value}`"


def _bounds(metadata: list[Any]) -> str:
    low = next((rule.ge for rule in metadata if hasattr(rule, "ge")), None)
    high = next((rule.le for rule in metadata if hasattr(rule, "le")), None)
    if low is None:
        return ""
    return f" {low} to {high}." if high is not None else f" At least {low}."


def endpoints(app: Flask) -> str:
    """Method, path, who may and what of every JSON endpoint."""

    def rows() -> Iterator[tuple[str, ...]]:
        for rule, method, edge in openapi.endpoints(app):
            path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
            answers = ", ".join(str(status) for status in [edge.status, *sorted(edge.errors)])
            yield method, f"`{path}`", _who(edge.can), edge.summary, answers

    return _table(("method", "path", "who", "what", "answers"), rows())


def _who(can: Can | Access) -> str:
    if isinstance(can, Access):
        return {Access.PUBLIC: "anybody", Access.SIGNED_IN: "signed in"}[can]
    weakest = next((role.value for role in reversed(Role) if can in GRANTS[role]), "installation admin")
    return f"{weakest}+".replace("admin+", "admin")


def permissions(_app: Flask) -> str:
    """What each role may do."""
    roles = list(reversed(Role))
    granted = [*(GRANTS[role] for role in roles), INSTALLATION_ADMIN]
    rows = (
        (f"`{can.name}`", can.value, f"`{SCOPE_OF[can]}`", *("yes" if can in grants else "" for grants in granted))
        for can in Can
    )
    heads = ("permission", "lets one", "scope", *(role.value for role in roles), "installation admin")
    return _table(heads, rows)


def commands(_app: Flask) -> str:
    """Every command with its options."""

    def rows(group: click.Group, before: str) -> Iterator[tuple[str, ...]]:
        for name, command in sorted(group.commands.items()):
            if isinstance(command, click.Group):
                yield from rows(command, f"{before} {name}")
            else:
                options = " ".join(_usage(parameter) for parameter in command.params)
                yield f"`{before} {name}{' ' if options else ''}{options}`", " ".join((command.help or "").split())

    return _table(("command", "does"), rows(build(_create_app, _create_server), "webmacs"))


def _usage(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        name = (parameter.name or "").upper()
        return name if parameter.required else f"[{name}]"
    name = parameter.opts[0]
    return name if parameter.required else f"[{name}]"


TABLES: dict[str, Callable[[Flask], str]] = {
    "settings": settings,
    "endpoints": endpoints,
    "permissions": permissions,
    "commands": commands,
}


def renewed(text: str, app: Flask) -> str:
    """The text of a document with its tables made anew."""
    return BLOCK.sub(lambda block: block[1] + TABLES[block[2]](app) + block[3], text)


def main() -> None:
    """Write the tables."""
    with tempfile.TemporaryDirectory() as folder:
        app = _create_app(
            Settings(data_dir=Path(folder), database_url=f"sqlite:///{folder}/none.db", log_level="error")
        )
    for path in REFERENCE.glob("*.md"):
        path.write_text(renewed(path.read_text(encoding="utf-8"), app), encoding="utf-8")


if __name__ == "__main__":
    main()
