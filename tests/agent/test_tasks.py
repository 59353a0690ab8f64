"""Loops that have to go on."""

import asyncio

from webmacs.agent.tasks import keep_running


def test_a_loop_that_fails_is_started_again():
    async def work():
        runs, done = [], asyncio.Event()

        async def loop():
            runs.append(len(runs))
            if len(runs) < 3:
                raise KeyError("a mistake")
            done.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(keep_running("test", loop, first_pause=0.01))
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
        await asyncio.wait({task})
        return runs, task.cancelled()

    assert asyncio.run(work()) == ([0, 1, 2], True)
