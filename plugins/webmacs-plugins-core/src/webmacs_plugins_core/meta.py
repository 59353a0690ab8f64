"""What a plugin class says about itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PluginMeta:
    """Identity of a plugin class. ``id`` is lower-case without spaces and stays the same over all versions."""

    id: str
    name: str
    version: str
    vendor: str = ""
    description: str = ""
    protocol: str = ""
    url: str = ""
    tags: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON types; ``tags`` becomes a list."""
        return {**asdict(self), "tags": list(self.tags)}
