"""The server process: KServe's application behind our front, on uvloop, until SIGTERM."""

import asyncio
import contextlib
import functools
import gc
import logging
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from trimtab.api.errors import SurroundingsFailed
from trimtab.features import ServingPlan
from trimtab.serving.explainer import Explainer
from trimtab.serving.front import Front, direct_paths
from trimtab.serving.lookup import Lookup
from trimtab.serving.protocol import PredictProtocol
from trimtab.serving.service import Service

if TYPE_CHECKING:
    from trimtab.serving.grpc_server import GrpcServer

GRACE_S = 30
FLUSH_S = 5.0
BACKLOG = 2048
# Longer than a proxy keeps an idle connection (Envoy: an hour), else a request may meet one that closes.
KEEP_ALIVE_S = 7200


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the kernel choose.

    Raises:
        SurroundingsFailed: the port is taken, or the host is not ours.
    """
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise SurroundingsFailed(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            remedy="choose another --http-port, or stop what listens there",
        ) from error


def serve(
    service: Service,
    explainer: Explainer,
    lookup: Lookup,
    plan: ServingPlan,
    listening: socket.socket,
    ready: Callable[[int | None], None],
    grpc_at: tuple[str, int] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished and the log is flushed, for 5 s at most.

    Args:
        ready: called once requests are answered, with gRPC's port.
        grpc_at: host and port for gRPC; None for REST alone.

    Raises:
        SurroundingsFailed: gRPC's port is taken.
    """
    application, data_plane = kserve_application(service, lookup, plan)
    front = Front(service, application, explainer)
    config = uvicorn.Config(
        front,
        loop="uvloop",
        http=_protocol(service),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    gc.collect()
    gc.freeze()

    async def until_stopped() -> None:
        grpc = None
        if grpc_at is not None:
            from trimtab.serving.grpc_server import GrpcServer

            grpc = GrpcServer(service, data_plane, *grpc_at)
            await grpc.start()
        server = _Server(config, lambda: ready(grpc.port if grpc else None))
        await _until_stopped(server, grpc, service, listening)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_stopped())


def _protocol(service: Service) -> Any:
    """Makes a connection's protocol, as uvicorn calls for one."""
    direct = {path.encode(): answer for path, answer in direct_paths(service).items()}
    return functools.partial(PredictProtocol, service, direct)


def kserve_application(service: Service, lookup: Lookup, plan: ServingPlan) -> tuple[Any, Any]:
    """KServe's FastAPI application with the model registered and our figures among its metrics; its data plane."""
    with _no_arguments():
        from kserve.model_server import ModelServer, app
    from kserve.protocol.rest.server import RESTServer
    from prometheus_client import REGISTRY

    from trimtab.serving.kserve_model import OnnxModel
    from trimtab.serving.metrics import ServiceMetrics

    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
    model_server = ModelServer(enable_grpc=False)
    for name in ("kserve", "kserve.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    model_server.register_model(OnnxModel(service, plan))
    rest = RESTServer(
        "kserve.model_server:app", model_server.dataplane, model_server.model_repository_extension, 0
    )
    rest.create_application()
    REGISTRY.register(ServiceMetrics(service, lookup))
    return app, model_server.dataplane


async def _until_stopped(
    server: "_Server", grpc: "GrpcServer | None", service: Service, listening: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    def stop() -> None:
        server.stop()
        if grpc is not None and not draining:
            draining.append(loop.create_task(grpc.stop(GRACE_S)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if service.payloads is not None:
        service.payloads.start()
    await server.serve(sockets=[listening])
    await asyncio.gather(*draining)
    if service.payloads is not None:
        await service.payloads.close(FLUSH_S)


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us: it would end by the signal, not with status 0."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def stop(self) -> None:
        self.should_exit = True


@contextlib.contextmanager
def _no_arguments() -> Generator[None, None, None]:
    """kserve.model_server parses sys.argv when it is imported; it finds none."""
    given = sys.argv
    sys.argv = given[:1]
    try:
        yield
    finally:
        sys.argv = given
