"""OpenAPI 3.1 from the declarations of the endpoints: what is declared is what is documented."""

import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from pydantic import BaseModel, TypeAdapter
from werkzeug.routing import Rule

from webmacs import __version__
from webmacs.core.permissions import Access
from webmacs.web.arrival import LONGEST_REASON, SAFE_METHODS, Edge

Json = dict[str, Any]
REF = "#/components/schemas/{model}"
PHRASES = {
    400: "Bad request",
    401: "Missing or invalid credential",
    403: "Insufficient permission",
    404: "Not found",
    409: "Duplicate, or wrong state",
    413: "Body too large",
    422: "Malformed JSON or fields that do not fit",
    429: "Too many requests",
    500: "The settings are incomplete",
    502: "Another server failed",
    503: "Unavailable; see Retry-After",
}
ERROR: Json = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["loc", "msg", "type"],
                        "properties": {
                            "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                            "msg": {"type": "string"},
                            "type": {"type": "string"},
                        },
                    },
                },
            ]
        },
        "request_id": {"type": "string"},
    },
}


def endpoints(app: Flask) -> Iterator[tuple[Rule, str, Edge]]:
    """Every JSON endpoint: its rule, its method and its declaration, in the order of the paths."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: r.rule):
        edge = getattr(app.view_functions[rule.endpoint], "__edge__", None)
        if isinstance(edge, Edge) and edge.kind == "api":
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, edge


def document(app: Flask) -> Json:
    """The whole OpenAPI document."""
    schemas: Json = {"Error": ERROR}
    paths: Json = {}
    for rule, method, edge in endpoints(app):
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        view = app.view_functions[rule.endpoint]
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, edge, view.__doc__ or "", schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "WebMACS", "version": __version__, "description": "Monitoring and control for laboratories."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A JWT of /auth/login or an API token"}
            },
        },
    }


def _operation(rule: Rule, method: str, edge: Edge, description: str, schemas: Json) -> Json:
    operation: Json = {
        "operationId": rule.endpoint,
        "summary": edge.summary,
        "description": description.strip(),
        "tags": [rule.endpoint.partition(".")[0]],
        "security": [] if edge.can is Access.PUBLIC else [{"bearer": []}],
        "parameters": [*_path_parameters(rule), *_query_parameters(edge, schemas), *_headers(method)],
        "responses": _responses(method, edge, schemas),
    }
    if edge.body is not None:
        content = {"application/json": {"schema": _schema(edge.body, "validation", schemas)}}
        operation["requestBody"] = {"required": True, "content": content}
    if edge.uploads:
        content = {media: {"schema": {"type": "string", "format": "binary"}} for media in edge.uploads}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(rule: Rule) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in sorted(rule.arguments)
    ]


def _query_parameters(edge: Edge, schemas: Json) -> list[Json]:
    if edge.query is None:
        return []
    schema = edge.query.model_json_schema(ref_template=REF)
    schemas.update(schema.pop("$defs", {}))
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(field)}
        for name, field in schema["properties"].items()
    ]


def _headers(method: str) -> list[Json]:
    """What every changing request may say about itself."""
    if method in SAFE_METHODS:
        return []
    schema = {"type": "string", "maxLength": LONGEST_REASON}
    description = "Why it is done; kept in the audit trail"
    return [{"name": "X-Reason", "in": "header", "required": False, "description": description, "schema": schema}]


def _without_null(field: Json) -> Json:
    """A query parameter is left out, never null."""
    if "anyOf" not in field:
        return field
    choices = [choice for choice in field["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}


def _responses(method: str, edge: Edge, schemas: Json) -> Json:
    media = edge.streams or "application/json"
    shown = {"type": "string"} if edge.streams else _schema(edge.out, "serialization", schemas)
    responses: Json = {str(edge.status): {"description": "Success", "content": {media: {"schema": shown}}}}
    error = {"application/json": {"schema": {"$ref": REF.format(model="Error")}}}
    for status in sorted({*edge.errors, *_implied(method, edge)}):
        responses[str(status)] = {"description": PHRASES[status], "content": error}
    return responses


def _implied(method: str, edge: Edge) -> set[int]:
    """The refusals that every endpoint of this kind can answer with."""
    implied = {503}
    if edge.can is not Access.PUBLIC:
        implied |= {401}
        if edge.can is not Access.SIGNED_IN:
            implied |= {403}
    if edge.body is not None or edge.query is not None:
        implied |= {422}
    if method not in SAFE_METHODS:
        implied |= {400, 413, 422}
    return implied


def _schema(annotation: Any, mode: Any, schemas: Json) -> Json:
    if annotation is None:
        return {}
    schema = TypeAdapter(annotation).json_schema(ref_template=REF, mode=mode)
    schemas.update(schema.pop("$defs", {}))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        name = re.sub(r"\W+", "_", schema.get("title", annotation.__name__)).strip("_")
        schemas[name] = schema
        return {"$ref": REF.format(model=name)}
    return schema
