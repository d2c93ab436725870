"""What the scenarios of this folder share: waiting, running what runs for ever, small objects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operators.drift.runtime import Client, Reflector


async def until(what: str, probe: Callable[[], Any], within_s: float = 120.0) -> Any:
    """The first answer of `probe` that is true; looks without holding the loop up."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not (answer := probe()):
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {within_s:g} s"
        await asyncio.sleep(0.02)
    return answer


@asynccontextmanager
async def running(*forever: Coroutine[Any, Any, None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(each) for each in forever]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"made-by": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def names(reflector: "Reflector") -> list[str]:
    return [obj["metadata"]["name"] for obj in reflector.store.list()]


def play(scenario: Callable[["Client"], Awaitable[None]], kubeconfig: str, **settings: Any) -> None:
    """Run an async scenario with a client of its own."""
    from operators.drift.runtime import Client

    async def whole() -> None:
        async with await Client.connect(kubeconfig, **settings) as client:
            await scenario(client)

    asyncio.run(whole())
