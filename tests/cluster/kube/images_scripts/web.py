"""A fixture web server: it answers with its revision, tells what a request carried, and counts.

    GET /healthz     200 at once
    GET /counts      {"requests": how many others were answered}
    GET /seen        {X-Request-Id: how many requests of the others came with it}
    anything else    {"revision", "host", "path", "headers"} with the header X-Revision

Environment: REVISION, DELAY_S (0), PORT (8080).
"""

import asyncio
import json
import os
import signal
from collections import Counter

REVISION = os.environ.get("REVISION", "none")
DELAY_S = float(os.environ.get("DELAY_S", "0"))
PORT = int(os.environ.get("PORT", "8080"))

answered = 0
seen: Counter[str] = Counter()


async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            await reader.readexactly(int(headers.get("content-length", "0")))
            writer.write(await answer(first.split()[1], headers))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def answer(path: str, headers: dict[str, str]) -> bytes:
    global answered
    if path == "/healthz":
        body: dict[str, object] = {}
    elif path == "/counts":
        body = {"requests": answered}
    elif path == "/seen":
        body = dict(seen)
    else:
        seen[headers.get("x-request-id", "")] += 1
        if DELAY_S:
            await asyncio.sleep(DELAY_S)
        answered += 1
        body = {"revision": REVISION, "host": headers.get("host"), "path": path, "headers": headers}
    content = json.dumps(body).encode()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"x-revision: %s\r\ncontent-length: %d\r\n\r\n%s" % (REVISION.encode(), len(content), content)
    )


async def main() -> None:
    server = await asyncio.start_server(connected, "0.0.0.0", PORT)
    await server.serve_forever()


signal.signal(
    signal.SIGTERM, lambda number, frame: os._exit(0)
)  # the first process of a container has no default
asyncio.run(main())
