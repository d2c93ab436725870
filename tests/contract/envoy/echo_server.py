"""A stand-in model server: answers with its revision, and counts what it was asked; stdlib only."""

import asyncio
import json
import sys
from collections import Counter


class Echo:
    """Speaks just enough HTTP/1.1, kept alive, on one event loop."""

    def __init__(self, revision: str, delay_s: float) -> None:
        self.revision = revision
        self.delay_s = delay_s
        self.seen: Counter[str] = Counter()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                await reader.readexactly(int(headers.get("content-length", 0)))
                body = self.reply(method, path, headers)
                await asyncio.sleep(self.delay_s)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def reply(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        if path == "/seen":
            return json.dumps(self.seen).encode()
        if path != "/v2/health/ready":
            self.seen[headers.get("x-request-id", "")] += 1
        return json.dumps({"revision": self.revision, "headers": headers}).encode()


async def main(port: int, revision: str, delay_s: float) -> None:
    server = await asyncio.start_server(Echo(revision, delay_s).answer, "127.0.0.1", port)
    sys.stderr.write(f"at {server.sockets[0].getsockname()[1]}\n")
    sys.stderr.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
