"""Lines of a body of any length, however the network cuts it."""

from collections.abc import AsyncIterator

import aiohttp


async def lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Each whole line; what a cut leaves of the last one is dropped, since its rest may have said anything.

    aiohttp's own readline refuses lines beyond its buffer; an object may have 3 MiB (etcd's request limit, twice
    where a watch tells of both faces of one).
    """
    rest = bytearray()
    async for chunk in body.iter_any():
        searched = len(rest)
        rest += chunk
        while (end := rest.find(b"\n", searched)) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            searched = 0
            if line:
                yield line
