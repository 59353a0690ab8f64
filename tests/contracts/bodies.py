"""The smallest JSON body that an endpoint accepts, made from its own declaration."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

Schema = Mapping[str, Any]


def body_for(declared: Any, named: Mapping[str, str]) -> Any:
    """A body that fits the declared type; the fields that refer to an event name the one of `named`."""
    schema = TypeAdapter(declared).json_schema()
    return _Sampler(schema.get("$defs", {}), named["event"]).value(schema)


class _Sampler:
    def __init__(self, definitions: Schema, event: str) -> None:
        self._definitions = definitions
        self._event = event
        self._kinds: dict[str, Callable[[Schema], Any]] = {
            "object": self._object,
            "array": lambda schema: [self.value(schema["items"])] * max(1, schema.get("minItems", 0)),
            "string": self._text,
            "integer": lambda schema: schema.get("minimum", 1),
            "number": lambda _schema: 1.5,
            "boolean": lambda _schema: True,
        }

    def value(self, schema: Schema) -> Any:
        if "$ref" in schema:
            return self.value(self._definitions[schema["$ref"].rpartition("/")[2]])
        if "enum" in schema or "const" in schema:
            return schema.get("enum", [schema.get("const")])[0]
        if "examples" in schema:
            return schema["examples"][0]
        if "anyOf" in schema:
            return self.value(schema["anyOf"][0])
        return self._kinds[schema["type"]](schema)

    def _object(self, schema: Schema) -> dict[str, Any]:
        wanted = {name: field for name, field in schema["properties"].items() if "default" not in field}
        # a partial update has no required field: then all of them, so that something is really asked for
        wanted = wanted or schema["properties"]
        given = {"event_public_id": self._event, "config_json": "{}", "password": "a long enough password"}
        return {name: given.get(name) or self.value(field) for name, field in wanted.items()}

    def _text(self, schema: Schema) -> str:
        if "@" in schema.get("pattern", ""):
            return "someone@lab.example"
        if schema.get("format") == "date-time":
            return "2030-01-01T00:00:00Z"
        return "sample".ljust(schema.get("minLength", 0), "x")
