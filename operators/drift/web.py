"""What a kubelet and a Prometheus ask: /healthz (no look hangs), /readyz (caches are filled), /metrics."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from operators.drift.config import Listen

Answer = Callable[[], str]
"""Why not; "" when all is well."""


@asynccontextmanager
async def serving(
    listen: Listen,
    healthy: Answer,
    ready: Answer,
    metrics: Callable[[], bytes],
    more: Sequence[web.RouteDef] = (),
) -> AsyncIterator[int]:
    """Serve until left; gives the port."""

    def told(why_not: str) -> web.Response:
        return web.Response(text=(why_not or "ok") + "\n", status=503 if why_not else 200)

    async def healthz(_: web.Request) -> web.Response:
        return told(healthy())

    async def readyz(_: web.Request) -> web.Response:
        return told(ready())

    async def exposed(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", exposed), *more]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
