"""What Qt calls back between two runs of the event loop."""

import asyncio


def test_what_is_called_when_the_loop_has_stopped_finds_it(run, qtbot):
    found = []

    async def work():
        found.append(asyncio.get_running_loop())

    async def story():
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, lambda: loop.create_task(work()))
        return loop

    loop = run(story())
    qtbot.waitUntil(lambda: bool(found))
    assert found == [loop]
