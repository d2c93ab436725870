"""V2 over gRPC: the service `inference.GRPCInferenceService` of the Open Inference Protocol, beside REST.

It runs in the loop that serves REST, so that a prediction is computed, counted and logged in one place whichever way
it came. `ModelInfer` takes the message as bytes: one that cannot be decoded is then refused and logged like any other.

| REST | gRPC | when |
|---|---|---|
| 200 | OK | |
| 400 | INVALID_ARGUMENT | the request does not fit the model |
| 400 | RESOURCE_EXHAUSTED | it is larger than REST would take |
| 404 | NOT_FOUND | another model, or another version of it |
| 500 | INTERNAL | the model or its transform failed |
| 503 | UNAVAILABLE | the online store cannot be reached |
| – | DEADLINE_EXCEEDED | the caller's deadline passed while it waited; logged with status 504 |

The request's id is taken from metadata `x-request-id` and stands in the trailing metadata of each answer.
"""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from trimtab.api.errors import SurroundingsFailed
from trimtab.serving.front import MOST_BODY_BYTES, TOO_LARGE, request_id_of
from trimtab.serving.grpc_messages import Messages
from trimtab.serving.service import Service
from trimtab.serving.values import ModelUnknown, RequestRefused

SERVICE: Final = "inference.GRPCInferenceService"
DETAIL_CHARS: Final = 2_000  # a status travels in a header, which a client takes up to 8 KiB of
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
_OPTIONS: Final = (
    # Twice what is taken: what lies between is refused by us, and logged; gRPC refuses more before it is read.
    ("grpc.max_receive_message_length", 2 * MOST_BODY_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # else a second server takes half of the connections in silence
)


class GrpcServer:
    """A listening server; to be made in the loop that serves.

    Args:
        data_plane: KServe's, which answers what REST answers about health and metadata.
        port: 0 lets the kernel choose.

    Attributes:
        port: where it listens.

    Raises:
        SurroundingsFailed: the port is taken, or the host is not ours.
    """

    def __init__(self, service: Service, data_plane: Any, host: str, port: int) -> None:
        self._service = service
        self._messages = Messages(service)
        self._data_plane = data_plane
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, self._handlers()),)
        )
        try:
            self.port: int = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            raise SurroundingsFailed(
                f"cannot listen on {host}:{port}",
                remedy="choose another --grpc-port, or stop what listens there",
            ) from None

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, and return when those in flight are answered, or after `grace_s`."""
        await self._server.stop(grace_s)

    def _handlers(self) -> dict[str, Any]:
        def told(answer: Any, request: Any, response: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer, request.FromString, response.SerializeToString)

        return {
            "ServerLive": told(self._live, pb.ServerLiveRequest, pb.ServerLiveResponse),
            "ServerReady": told(self._ready, pb.ServerReadyRequest, pb.ServerReadyResponse),
            "ModelReady": told(self._model_ready, pb.ModelReadyRequest, pb.ModelReadyResponse),
            "ServerMetadata": told(self._metadata, pb.ServerMetadataRequest, pb.ServerMetadataResponse),
            "ModelMetadata": told(self._model_metadata, pb.ModelMetadataRequest, pb.ModelMetadataResponse),
            "ModelInfer": grpc.unary_unary_rpc_method_handler(self._infer),
        }

    async def _infer(self, body: bytes, context: Any) -> bytes:
        request_id, warmup = _of(context.invocation_metadata())
        context.set_trailing_metadata((("x-request-id", request_id),))
        left_s = context.time_remaining()
        if left_s is not None and left_s <= 0:
            self._service.expired(request_id, warmup=warmup)
            await context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the request's turn"
            )
        if len(body) > MOST_BODY_BYTES:
            self._service.refused(request_id, RequestRefused(TOO_LARGE), warmup=warmup)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, TOO_LARGE)
        answer = self._service.answer(self._messages.protocol, body, request_id, warmup=warmup)
        if answer.status != 200:
            await context.abort(_CODES[answer.status], _detail(answer.body.decode()))
        return answer.body

    async def _live(self, _request: Any, _context: Any) -> Any:
        return pb.ServerLiveResponse(live=(await self._data_plane.live())["status"] == "alive")

    async def _ready(self, _request: Any, _context: Any) -> Any:
        return pb.ServerReadyResponse(ready=await self._data_plane.ready())

    async def _metadata(self, _request: Any, _context: Any) -> Any:
        return pb.ServerMetadataResponse(**self._data_plane.metadata())

    async def _model_ready(self, request: Any, context: Any) -> Any:
        await self._known(request, context)
        return pb.ModelReadyResponse(ready=await self._data_plane.model_ready(request.name))

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        await self._known(request, context)
        found = await self._data_plane.model_metadata(request.name)
        return pb.ModelMetadataResponse(versions=[self._service.revision], **found)

    async def _known(self, request: Any, context: Any) -> None:
        try:
            self._messages.know(request.name, request.version)
        except ModelUnknown as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, error.message)


def _of(metadata: Sequence[tuple[str, Any]] | None) -> tuple[str, bool]:
    """Request id (made where none came), and whether it is a warm-up."""
    sent = b""
    warmup = False
    for name, value in metadata or ():
        if name == "x-request-id":
            sent = value.encode()
        elif name == "x-trimtab-warmup":
            warmup = value == "1"
    return request_id_of(sent).decode(), warmup


def _detail(text: str) -> str:
    return text if len(text) <= DETAIL_CHARS else text[: DETAIL_CHARS - 1] + "…"
