"""The model server's process: `python -m trimtab.bootstrap.serving --model-dir DIR --model-name NAME …`.

V1 and V2 over REST; with --grpc-port, V2 over gRPC beside it.

Exit status: 0 after SIGTERM or SIGINT, 2 where the folder or an argument cannot be taken, 4 where the port
is taken.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from trimtab.adapters.clock import FileClock, PacedClock, WallClock
from trimtab.api.address import no_literal_password
from trimtab.api.errors import ExitStatus, ExtraMissing, TrimtabError
from trimtab.features.plan import ServingPlan
from trimtab.ports.online import OnlineReader
from trimtab.serving import lean_kserve
from trimtab.serving.folder import open_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; the exit status."""
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        _serve(parsed)
    except TrimtabError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.status)
    return int(ExitStatus.DONE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trimtab.bootstrap.serving", allow_abbrev=False)
    parser.add_argument("--model-dir", required=True, type=Path, help="the model folder")
    parser.add_argument(
        "--model-name", "--model_name", required=True, help="the served name, the same for every revision"
    )
    parser.add_argument("--digest", default="", help="refuse to start on a folder of another digest")
    parser.add_argument("--revision", required=True, help="the revision's id, 8 hex digits")
    parser.add_argument(
        "--http-port", "--http_port", default=8080, type=int, help="0 lets the kernel choose (8080)"
    )
    parser.add_argument(
        "--grpc-port",
        "--grpc_port",
        type=int,
        help="also answer V2 over gRPC (HTTP/2 in the clear) here; 0 lets the kernel choose; KServe's is 8081",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--online",
        type=_address,
        help="the online store: a file, redis://:${REDIS_PASSWORD}@HOST:6379/0 with the password in the environment, "
        "or http://HOST:6566 of Feast's feature server",
    )
    parser.add_argument(
        "--online-missing",
        choices=("null", "reject"),
        default="null",
        help="a key that the online store does not hold gives nulls, or is refused with 400 (null)",
    )
    parser.add_argument("--sink", help="where inference events go: the collector's address")
    parser.add_argument(
        "--namespace", default="default", help="namespace in the events' attributes (default)"
    )
    parser.add_argument(
        "--clock",
        type=Path,
        help="a replay's clock file; without it requests are answered at the machine's time",
    )
    parser.add_argument(
        "--rehearsal",
        nargs=3,
        metavar=("SINCE", "START", "SPEED"),
        help="the operator's `rehearsal`: two RFC 3339 times, and seconds in one of the machine's",
    )
    return parser


def _clock(parsed: argparse.Namespace) -> FileClock | PacedClock | WallClock:
    """What the events' times are read from."""
    if parsed.clock:
        return FileClock(parsed.clock)
    return PacedClock.parsed(*parsed.rehearsal) if parsed.rehearsal else WallClock()


def _serve(parsed: argparse.Namespace) -> None:
    folder = open_folder(parsed.model_dir, parsed.digest)
    try:
        lean_kserve.prepare()
        from trimtab.serving import predictor, server
        from trimtab.serving.events import BATCH_CONTENT_TYPE, Events
        from trimtab.serving.explainer import Explainer
        from trimtab.serving.lookup import Lookup
        from trimtab.serving.payload_log import PayloadLog
        from trimtab.serving.service import Service
        from trimtab.serving.sink import Sink
    except ImportError as error:
        raise ExtraMissing("serving", f"the model server ({error})") from error
    sink = Sink(parsed.sink, BATCH_CONTENT_TYPE) if parsed.sink else None
    lookup = Lookup(
        folder.plan.views,
        folder.plan.time,
        _store(parsed.online, folder.plan),
        reject_missing=parsed.online_missing == "reject",
    )
    model = predictor.Predictor(folder, lookup)
    clock = _clock(parsed)
    events = Events(parsed.model_name, parsed.revision, parsed.namespace, clock.now_us)
    payloads = PayloadLog(sink) if sink else None
    service = Service(parsed.model_name, parsed.revision, model, events, payloads)
    explainer = Explainer(service, folder)
    with server.bind(parsed.host, parsed.http_port) as listening:
        port = listening.getsockname()[1]
        log = logging.getLogger("trimtab.serving")

        def ready(grpc_port: int | None) -> None:
            also = f" and grpc://{parsed.host}:{grpc_port}" if grpc_port else ""
            name = f"{parsed.model_name}/{parsed.revision}"
            log.info("%s answers at http://%s:%d%s", name, parsed.host, port, also)

        grpc_at = None if parsed.grpc_port is None else (parsed.host, parsed.grpc_port)
        server.serve(service, explainer, lookup, folder.plan, listening, ready, grpc_at)


def _store(where: str | None, plan: ServingPlan) -> OnlineReader | None:
    if where is None or not plan.views:
        return None
    from trimtab.adapters.online import online_reader

    return online_reader(where, plan)


def _address(said: str) -> str:
    """Refuses a password that is written out: whoever lists processes or pods would read it."""
    try:
        return no_literal_password(said)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
