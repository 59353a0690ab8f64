"""The house itself: sizes, names and habits that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FEATURES = ROOT / "webmacs" / "features"
OURS = sorted([*(ROOT / "webmacs").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")])
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ROOMS = {
    *("__init__", "models", "schemas", "facts", "queries", "operations", "decide", "jobs", "forms"),
    *("pages", "api", "cli", "live", "blueprint", "figures"),
    *("store", "admit", "rollups", "series"),  # the datapoint engine
}


def _name(path):
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_400_lines_and_no_template_than_120():
    long = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in [*OURS, *TEMPLATES]}
    assert {name: n for name, n in long.items() if n > (120 if name.endswith(".html") else 400)} == {}


def test_no_function_is_longer_than_50_lines():
    long = []
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                inner = sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(node)) - 1
                if lines > 50 and not inner:  # a factory of small functions is not a long function
                    long.append((_name(path), node.name, lines))
    assert long == []


def test_every_public_module_function_and_class_says_what_it_is_for():
    silent = []
    for path in OURS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            silent.append(_name(path))
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{_name(path)}:{node.name}")
    assert silent == []


def test_in_every_feature_the_same_name_means_the_same():
    for folder in sorted(path for path in FEATURES.iterdir() if path.is_dir() and path.name != "__pycache__"):
        files = {path.stem for path in folder.glob("*.py")}
        assert files <= ROOMS, folder.name
        assert "blueprint" in files or not {"pages", "api"} & files, folder.name


def test_no_work_is_left_for_later():
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [_name(p) for p in [*OURS, *TEMPLATES] if marks.search(p.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    "below", ["operations", "queries", "models", "decide", "schemas", "facts", "series", "rollups", "admit"]
)
def test_below_the_edge_nobody_knows_a_request(below):
    for path in FEATURES.glob(f"*/{below}.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.partition(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & {"flask", "flask_login", "wtforms", "rq", "redis", "httpx", "paho"}, _name(path)


def test_every_operation_asks_who_acts():
    """A change without an actor is one that a fact brings about or that WebMACS does by itself, and nothing else."""
    own = {"note", "forget_event", "set_source", "open_span", "close_span", "remove_span", "prepare", "sign_in"}
    own |= {"access_token", "recognise", "recognise_jwt", "recognise_browser", "ensure_organization", "offer_claim"}
    own |= {"claim", "service_account"}
    # what the verbs of higher features (an invitation, a single sign-on) consist of, once they know who may
    own |= {
        "open_login",
        "end_logins",
        "tell_that_access_ended",
        "add_user",
        "add_member",
        "refuse_duplicates",
        "add_organization",
    }
    own |= {"set_password", "end_logins_besides"}
    # a sign-in under way: whoever it is is not signed in yet
    own |= {
        "begin",
        "abandon_sign_ins",
        "redeem",
        "require",
        "answer_with_code",
        "passkey_options",
        "answer_with_passkey",
        "enter",
    }
    # a provider vouches for who comes in, or says whose logins are over
    own |= {"admit", "ticket", "redeem", "end", "put_aside", "take_back", "forget_put_aside"}
    own |= {"enter_api", "renew"}
    own |= {"hold_span", "check_hold", "drop"}  # a whole partition takes an actor of each organization
    own |= {"create_first_admin", "ensure_service_token", "forget_expired"}
    own |= {"join", "write_code", "ask", "use"}  # whoever has the code of a link, or asks for one
    own |= {"queue", "postpone", "forget_old"}  # mails follow from what others do
    own |= {"progress", "settle", "left_behind", "expire", "tidy"}  # what jobs do to their rows
    own |= {"append", "choose", "name_of"}  # the audit trail is written by the transaction itself
    strange = []
    for path in FEATURES.glob("*/operations.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name not in own:
                first = node.args.args[0].arg if node.args.args else ""
                if first != "actor":
                    strange.append(f"{_name(path)}:{node.name}")
    assert strange == []


def test_every_fragment_says_what_it_needs():
    for path in TEMPLATES:
        if path.name.startswith("_") and path.parent.name not in ("layouts", "dev"):
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            assert first.startswith("{#"), _name(path)


def test_templates_do_not_switch_escaping_off():
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup\(", text), _name(path)
