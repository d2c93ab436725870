"""The collector's process: `python -m trimtab.bootstrap.collector --dir DIR --http-port P`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from trimtab.api.errors import ExitStatus, ExtraMissing, TrimtabError


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trimtab.bootstrap.collector")
    parser.add_argument(
        "--dir", type=Path, required=True, help="folder of the log; made when it is not there"
    )
    parser.add_argument("--http-port", type=int, default=0, help="0: the kernel chooses")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--keep-days", type=int, default=400, help="event time that is held")
    parsed = parser.parse_args(given)
    if not 0 <= parsed.http_port <= 65_535:
        parser.error(f"--http-port: {parsed.http_port} is no port")
    if parsed.keep_days < 1:
        parser.error("--keep-days: at least 1")
    return parsed


def main(given: Sequence[str]) -> int:
    """Serve until SIGTERM; returns the exit status."""
    asked = arguments(given)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        try:
            import uvloop

            from trimtab.collector.server import Settings, serve
        except ModuleNotFoundError as error:
            raise ExtraMissing("collector", f"the collector ({error.name})") from error
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(Settings(asked.dir, asked.host, asked.http_port, asked.keep_days)))
    except TrimtabError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.status)
    return int(ExitStatus.DONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
