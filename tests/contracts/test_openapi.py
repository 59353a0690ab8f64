"""The OpenAPI document is valid, complete, and kept: generated requests get the answers that it promises."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from webmacs import __version__
from webmacs.core.permissions import Access

from .world import PLACEHOLDER, Route, declared, one_of_each

EXAMPLES = {"sqlite": 10, "postgresql": 5}  # for each operation; what differs between the two has tests of its own
PROMISES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture
def document(client_as):
    """The document as anybody reads it."""
    answer = client_as(None).get("/openapi.json")
    assert answer.status_code == 200
    return answer.json


def _operations(document):
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


@pytest.mark.any_database
def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == __version__
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


@pytest.mark.any_database
def test_every_reference_in_the_document_leads_somewhere(document):
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    text = json.dumps(document)
    named = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert named <= known
    assert known - named == set(), "a schema that nothing uses"


@pytest.mark.any_database
def test_every_endpoint_is_in_the_document_and_nothing_else(app, document):
    served = {(r.method, PLACEHOLDER.sub(r"{\1}", r.rule)) for r in declared(app) if r.edge.kind == "api"}
    assert set(_operations(document)) == served


@pytest.mark.any_database
def test_every_operation_says_what_it_needs_and_answers(app, document):
    operations = _operations(document)
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for route in declared(app):
        if route.edge.kind != "api":
            continue
        path = PLACEHOLDER.sub(r"{\1}", route.rule)
        operation = operations[route.method, path]
        where = f"{route.method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert {p["name"] for p in operation["parameters"] if p["in"] == "path"} == set(PLACEHOLDER.findall(route.rule))
        assert ("requestBody" in operation) == (route.edge.body is not None or bool(route.edge.uploads)), where
        assert bool(operation["security"]) == (route.edge.can is not Access.PUBLIC), where
        if route.edge.can is not Access.PUBLIC:
            assert "401" in operation["responses"], where
        if route.has_ids:
            assert "404" in operation["responses"], where
        for answer in operation["responses"].values():
            assert answer["description"], where


@pytest.mark.any_database
def test_the_pages_of_the_documentation_need_nothing_from_elsewhere(browser_as):
    for path in ("/docs", "/redoc"):
        page = browser_as(None).visit(path)
        for tag in page.soup.select("[src], link[href]"):
            assert str(tag.get("src") or tag.get("href")).startswith(("/", "data:")), (path, tag)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_generated_requests_get_the_promised_answers(app, database, lab, ada, document, mode):
    load_all_checks()
    promises = [CHECKS.get_one(name) for name in PROMISES]
    schema = schemathesis.openapi.from_dict(document)
    schema.app = _closing(app)
    _, token = lab.token(ada)  # not a login: one of the requests is going to end it
    headers = {"Authorization": f"Bearer {token}"}
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == len(_operations(document))
    for number, operation in enumerate(operations):
        if _takes_files(operation):
            continue  # the generator cannot write them; their feature's own tests do
        if mode is GenerationMode.POSITIVE or _can_be_unfit(operation):
            known = _known(operation, one_of_each(lab, ada, number))
            _promise(operation, mode, known, promises, headers, EXAMPLES[database])()


def _closing(app):
    """The application as a server runs it: every answer is read and closed."""

    def serve(environ, start_response):
        answer = app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            answer.close()

    return serve


def _known(operation, ids):
    """The path's parameters of a thing that exists."""
    rule = operation.path.replace("{", "<").replace("}", ">")
    route = Route(operation.method.upper(), rule, None)
    return {name: ids[route.kind(name)] for name in PLACEHOLDER.findall(rule)}


def _promise(operation, mode, known, promises, headers, examples):
    """A property of one operation: whatever is sent, the answer is one of the documented."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a failure shows itself as it was met; making it small takes minutes
        suppress_health_check=list(HealthCheck),  # the strategies are not ours to speed up
    )
    @given(case=operation.as_strategy(generation_mode=mode), exists=strategies.booleans())
    def keeps_its_promises(case, exists):
        if exists and known:
            case.path_parameters = dict(known)
        case.call_and_validate(checks=promises, headers=headers)

    return keeps_its_promises


def _takes_files(operation):
    """Whether the body is not JSON."""
    return bool(operation.body) and all(body.media_type != "application/json" for body in operation.body)


def _can_be_unfit(operation):
    """Whether there is a way to ask wrongly: a body, or a query string."""
    return bool(operation.body) or bool(operation.query)
