"""The instances that run, and their agreement with the server's list."""

import asyncio
import time
from collections.abc import Sequence

import structlog
from pydantic import ValidationError
from webmacs_plugins_core import DevicePlugin, discover

from webmacs.agent.client import Client, UnreachableError
from webmacs.agent.instance import Instance
from webmacs.agent.outputs import Context, Outputs
from webmacs.agent.wire import InstancePage, InstanceRow

log = structlog.get_logger(__name__)

PAGE_SIZE = 100
REDISCOVER_SECONDS = 30.0


class Plant:
    """All running instances by public id."""

    def __init__(self, client: Client, context: Context) -> None:
        self._client = client
        self._context = context
        self._instances: dict[str, Instance] = {}
        self._classes: dict[str, type[DevicePlugin]] = {}
        self._discovered = float("-inf")

    @property
    def instances(self) -> list[Instance]:
        """The instances, in no particular order."""
        return list(self._instances.values())

    def outputs(self) -> list[Outputs]:
        """The outputs of every instance that can run."""
        return [instance.outputs for instance in self.instances if instance.outputs is not None]

    def outputs_of(self, instance: str) -> Outputs | None:
        """The outputs of one instance; None when it is gone."""
        found = self._instances.get(instance)
        return found.outputs if found else None

    async def load(self) -> list[InstanceRow]:
        """Every row of the server's list, over all pages. Raises `ServerError`, also when it changed meanwhile."""
        rows: dict[str, InstanceRow] = {}
        number = 1
        while True:
            content = await self._client.get("plugins", params={"page": number, "page_size": PAGE_SIZE})
            try:
                page = InstancePage.model_validate(content)
            except ValidationError as failed:
                raise UnreachableError(f"the list of instances cannot be read: {failed.errors()[0]['msg']}") from failed
            rows.update({row.public_id: row for row in page.data})
            if len(rows) >= page.total:
                return list(rows.values())
            if not page.data:
                # A row slipped from one page to another. Acting on an incomplete list would stop a running instance.
                raise UnreachableError("the list of instances changed while it was read")
            number += 1

    async def agree(self, rows: Sequence[InstanceRow]) -> None:
        """Start, change and stop instances until they agree with the rows."""
        wanted = {row.public_id: row for row in rows if row.enabled}
        stopping = [self._remove(public_id) for public_id in list(self._instances) if public_id not in wanted]
        await asyncio.gather(*stopping)
        await asyncio.gather(*(self._adopt(row) for row in wanted.values()))

    async def stop(self) -> None:
        """Stop everything; the outputs become safe."""
        await asyncio.gather(*(self._remove(public_id) for public_id in list(self._instances)))

    async def _adopt(self, row: InstanceRow) -> None:
        running = self._instances.get(row.public_id)
        if running is not None:
            if not running.needs_restart(row) and (running.runnable or not self._newly_installed(row)):
                await running.take_over(row)
                return
            await self._remove(row.public_id)
        instance = Instance(row, self._plugin_class(row.plugin_id), self._context)
        self._instances[row.public_id] = instance
        instance.start()

    async def _remove(self, public_id: str) -> None:
        # Out of the list only once it has stopped: when this is cancelled half-way, the end stops it again.
        await self._instances[public_id].stop()
        del self._instances[public_id]

    def _newly_installed(self, row: InstanceRow) -> bool:
        return row.plugin_id not in self._classes and self._plugin_class(row.plugin_id) is not None

    def _plugin_class(self, plugin_id: str) -> type[DevicePlugin] | None:
        """The class of a plugin; installed ones are searched again now and then for one that is not known."""
        if plugin_id not in self._classes and time.monotonic() - self._discovered > REDISCOVER_SECONDS:
            self._classes = discover().classes
            self._discovered = time.monotonic()
            log.info("plugins found", plugins=sorted(self._classes))
        return self._classes.get(plugin_id)
