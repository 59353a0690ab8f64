"""Finding installed plugin classes by the entry-point group ``webmacs.plugins``."""

import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from webmacs_plugins_core.meta import PluginMeta
from webmacs_plugins_core.plugin import DevicePlugin

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "webmacs.plugins"


@dataclass(frozen=True, slots=True)
class DiscoveredPlugin:
    """A usable plugin class and the distribution that brought it (empty strings when that is not known)."""

    plugin_class: type[DevicePlugin]
    entry_point: str
    distribution: str
    distribution_version: str

    @property
    def meta(self) -> PluginMeta:
        """What the class says about itself."""
        return self.plugin_class.meta


@dataclass(frozen=True, slots=True)
class DiscoveryProblem:
    """An entry point that was skipped, and why."""

    entry_point: str
    distribution: str
    reason: str


@dataclass(slots=True)
class Discovery:
    """The outcome of one search: what can be used, by plugin id in entry-point order, and what was skipped."""

    plugins: dict[str, DiscoveredPlugin] = field(default_factory=dict)
    problems: list[DiscoveryProblem] = field(default_factory=list)

    @property
    def classes(self) -> dict[str, type[DevicePlugin]]:
        """The usable classes by plugin id."""
        return {plugin_id: plugin.plugin_class for plugin_id, plugin in self.plugins.items()}

    def _skip(self, entry_point: str, distribution: str, reason: str) -> None:
        logger.warning("Plugin %r of %r skipped: %s", entry_point, distribution, reason)
        self.problems.append(DiscoveryProblem(entry_point, distribution, reason))

    def _add(self, found: DiscoveredPlugin) -> None:
        earlier = self.plugins.get(found.meta.id)
        if earlier is not None and earlier.plugin_class is not found.plugin_class:
            reason = f"its id {found.meta.id!r} is taken by {found.entry_point!r} of {found.distribution!r}"
            self._skip(earlier.entry_point, earlier.distribution, reason)
        self.plugins[found.meta.id] = found


def discover(candidates: Iterable[EntryPoint] | None = None) -> Discovery:
    """Load the given entry points, or all installed ones of the group. Never raises for a bad plugin.

    Two classes of one id: the later wins and the earlier is among the problems.
    """
    found = Discovery()
    for entry_point in entry_points(group=ENTRY_POINT_GROUP) if candidates is None else candidates:
        distribution = entry_point.dist.name if entry_point.dist else ""
        version = entry_point.dist.version if entry_point.dist else ""
        try:
            loaded = entry_point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code at import may raise anything
            found._skip(entry_point.name, distribution, f"it cannot be loaded: {type(error).__name__}: {error}")
            continue
        reason = why_unusable(loaded)
        if reason is None:
            found._add(DiscoveredPlugin(loaded, entry_point.name, distribution, version))
        else:
            found._skip(entry_point.name, distribution, reason)
    return found


def why_unusable(candidate: object) -> str | None:
    """Why an object is no plugin class, in words; None when it is one."""
    if not inspect.isclass(candidate) or not issubclass(candidate, DevicePlugin):
        return "it is not a subclass of DevicePlugin"
    meta = getattr(candidate, "meta", None)
    if not isinstance(meta, PluginMeta):
        return "its meta is not a PluginMeta"
    if not meta.id or not meta.version:
        return "its meta has no id or no version"
    if inspect.isabstract(candidate):
        missing = ", ".join(sorted(candidate.__abstractmethods__))
        return f"it does not define {missing}"
    return None
