"""What the product manages: one record for each kind, pointing at plain addresses and samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Resource:
    """A kind of thing with a JSON collection and pages. Contract tests round-trip every one of them.

    `sample` and `change` are JSON bodies for create and update; `form` overrides form fields where the page differs.
    `unshown` names the fields of `sample` that are never shown again.
    """

    name: str
    plural: str
    api: str
    page: str
    sample: Mapping[str, Any]
    change: Mapping[str, Any]
    form: Mapping[str, Any] = field(default_factory=dict)
    unshown: frozenset[str] = frozenset()
