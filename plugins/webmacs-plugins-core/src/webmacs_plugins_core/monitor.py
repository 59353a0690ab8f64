"""Reconnecting instances that failed, each by its own retry policy."""

import asyncio
import logging
import time

from webmacs_plugins_core.errors import PluginError
from webmacs_plugins_core.lifecycle import Clock
from webmacs_plugins_core.plugin import DevicePlugin
from webmacs_plugins_core.registry import Registry
from webmacs_plugins_core.states import PluginState

logger = logging.getLogger(__name__)


class HealthMonitor:
    """Watches a registry. Run ``run()`` as a task and cancel it to stop; instances may come and go meanwhile.

    A failed instance is tried again after the delay of its retry policy, until it connects or its attempts are used
    up. Every instance is tried by itself, so that one slow device does not delay another. Attempts count from the
    last time the device answered: a device that connects but fails at once is tried less and less often.
    """

    def __init__(self, registry: Registry, *, interval: float = 5.0, clock: Clock = time.monotonic) -> None:
        self._registry = registry
        self._interval = interval
        self._clock = clock
        self._due: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._given_up: set[str] = set()

    @property
    def given_up(self) -> frozenset[str]:
        """Ids of the instances whose attempts are used up."""
        return frozenset(self._given_up)

    def retry(self, instance_id: str) -> None:
        """Let an instance start over with all its attempts, at the next check."""
        self._registry.get(instance_id).reconnect_attempts = 0
        self._given_up.discard(instance_id)
        self._due[instance_id] = self._clock()

    async def run(self) -> None:
        """Check for ever."""
        try:
            while True:
                self.check()
                await asyncio.sleep(self._pause())
        finally:
            for task in self._running.values():
                task.cancel()
            await self.settle()

    def check(self) -> None:
        """Look at every instance once and start the attempts that are due; they go on in the background."""
        failed = {plugin.instance_id: plugin for plugin in self._registry if plugin.state is PluginState.ERROR}
        self._due = {instance_id: due for instance_id, due in self._due.items() if instance_id in failed}
        self._given_up &= failed.keys()
        for instance_id, plugin in failed.items():
            if instance_id not in self._running:
                self._consider(instance_id, plugin)

    async def settle(self) -> None:
        """Wait for the attempts that are under way."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _consider(self, instance_id: str, plugin: DevicePlugin) -> None:
        attempt = plugin.reconnect_attempts + 1
        policy = plugin.config.retry_policy
        if not policy.allows(attempt):
            if instance_id not in self._given_up:
                self._given_up.add(instance_id)
                logger.error("[%s] %s: given up after %d attempts", plugin.meta.id, instance_id, policy.max_attempts)
            return
        due = self._due.setdefault(instance_id, self._clock() + policy.delay(attempt))
        if self._clock() >= due:
            del self._due[instance_id]
            plugin.reconnect_attempts = attempt
            self._running[instance_id] = asyncio.create_task(self._attempt(instance_id, plugin))

    async def _attempt(self, instance_id: str, plugin: DevicePlugin) -> None:
        try:
            await plugin.reconnect()
        except PluginError as error:
            logger.warning("%s: attempt %d failed: %s", instance_id, plugin.reconnect_attempts, error)
        else:
            logger.info("[%s] %s is connected again", plugin.meta.id, instance_id)
        finally:
            self._running.pop(instance_id, None)

    def _pause(self) -> float:
        """Seconds until the next check: the interval, or sooner when an attempt is due sooner."""
        soonest = min(self._due.values(), default=self._clock() + self._interval)
        return min(max(soonest - self._clock(), 0.05), self._interval)
