"""How an instance is doing: the record of its failures, and the report made from it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from webmacs_plugins_core.states import ONLINE, InstanceStatus, PluginState, status_of


@dataclass(slots=True)
class FailureRecord:
    """Failures of one instance. The last error and its time stay readable after a recovery, for whoever looks later."""

    total: int = 0
    consecutive: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None

    def failed(self, message: str) -> None:
        """Count a failure."""
        self.total += 1
        self.consecutive += 1
        self.last_error = message
        self.last_error_at = datetime.now(UTC)

    def succeeded(self) -> None:
        """An operation of the device worked."""
        self.consecutive = 0

    def connected(self) -> None:
        """A new connection starts counting at zero; the last error stays."""
        self.total = 0
        self.consecutive = 0


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The health of one instance at one moment.

    ``current_error`` is the error that still holds (None when the last operation worked); ``last_error`` is the last
    one that ever happened, at ``last_error_at`` (UTC).
    """

    plugin_id: str
    instance_id: str
    instance_name: str
    state: PluginState
    error_count: int
    last_error: str | None
    last_error_at: datetime | None
    current_error: str | None
    channel_count: int
    demo_mode: bool
    reconnect_attempts: int

    @property
    def is_healthy(self) -> bool:
        """Whether the instance can be read and written."""
        return self.state in ONLINE

    @property
    def status(self) -> InstanceStatus:
        """The status that a server shows."""
        return status_of(self.state, demo_mode=self.demo_mode)

    def to_dict(self) -> dict[str, Any]:
        """All of the report as plain JSON types, with ``is_healthy`` and ``status``."""
        values = asdict(self)
        values["state"] = self.state.value
        values["status"] = self.status.value
        values["last_error_at"] = self.last_error_at.isoformat() if self.last_error_at else None
        values["is_healthy"] = self.is_healthy
        return values
