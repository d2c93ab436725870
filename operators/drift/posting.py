"""Where an event is posted that asks for a run: POST /v1/namespaces/NAMESPACE/events, one CloudEvent.

Who posts shows the token of a service account of that very namespace; the API server says whose it is. The event is
written into each policy that waits for its type before it is answered: 202 says that it is kept. Any replica takes it.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from operators.drift.caches import Caches, resource_of
from operators.drift.runtime import ApiError, Client, Conflict, NotFound, Resource
from trimtab.adapters.kubernetes import annotated
from trimtab.adapters.kubernetes.kinds import RETRAIN_POLICY
from trimtab.adapters.kubernetes.posted import POSTED, noted, waits_for
from trimtab.ports.posted import Posted

PATH: Final = "/v1/namespaces/{namespace}/events"
LONGEST_BODY: Final = 65_536
LONGEST_NAME: Final = 253
TRIES: Final = 5
TOKEN_REVIEW: Final = Resource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", False)
POLICY: Final = resource_of(RETRAIN_POLICY)
log = logging.getLogger(__name__)


class NotTaken(Exception):
    """Why an event is not taken, and how HTTP says that."""

    def __init__(self, status: int, because: str) -> None:
        super().__init__(because)
        self.status = status


class Postbox:
    """Takes events.

    Args:
        client: not behind the lease: an event is kept by whichever replica is asked.
    """

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client, self._caches = client, caches

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self._post)]

    async def _post(self, request: web.Request) -> web.Response:
        try:
            namespace = request.match_info["namespace"]
            poster = await self._poster(request, namespace)
            event = await posted_event(request)
            kept = await self._keep(namespace, event)
        except NotTaken as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except ApiError as error:
            return web.json_response({"error": f"the API server: {error}"}, status=503)
        log.info("event taken", extra={"event": event.id, "type": event.type, "by": poster, "policies": kept})
        return web.json_response({"policies": kept}, status=202)

    async def _poster(self, request: web.Request, namespace: str) -> str:
        """The service account whose token came.

        Raises:
            NotTaken: none came, or another namespace's.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotTaken(401, "send Authorization: Bearer and a service account's token")
        review = {
            "apiVersion": TOKEN_REVIEW.api_version,
            "kind": TOKEN_REVIEW.kind,
            "metadata": {"namespace": ""},
            "spec": {"token": token.strip()},
        }
        said = (await self._client.create(TOKEN_REVIEW, review)).get("status") or {}
        if not said.get("authenticated"):
            raise NotTaken(401, "the API server does not know this token")
        poster = str((said.get("user") or {}).get("username", ""))
        if not poster.startswith(f"system:serviceaccount:{namespace}:"):
            raise NotTaken(403, f"{poster} is no service account of namespace {namespace}")
        return poster

    async def _keep(self, namespace: str, event: Posted) -> list[str]:
        """Write it into every policy that waits for it; their names.

        Raises:
            NotTaken: none does, or others write without end.
        """
        waiting = [
            obj["metadata"]["name"]
            for obj in self._caches.list(RETRAIN_POLICY, namespace)
            if event.type in waits_for(obj)
        ]
        if not waiting:
            raise NotTaken(404, f"no RetrainPolicy of namespace {namespace} waits for events of {event.type}")
        for name in waiting:
            await self._written(namespace, name, event)
        return waiting

    async def _written(self, namespace: str, name: str, event: Posted) -> None:
        for _ in range(TRIES):
            try:
                # As it is now, by a right that is held anyway.
                for obj in await self._client.list(POLICY, namespace, fields=f"metadata.name={name}"):
                    text = noted(obj, event)
                    if text is not None:
                        await self._client.replace(POLICY, annotated(obj, POSTED, text))
            except Conflict:
                continue
            except NotFound:
                return
            return
        raise NotTaken(503, f"RetrainPolicy {name} is written by others without end; post it again")


async def posted_event(request: web.Request) -> Posted:
    """One CloudEvent 1.0, in HTTP's binary or structured mode; its data is not looked at.

    Raises:
        NotTaken: it is none.
    """
    if request.content_length is not None and request.content_length > LONGEST_BODY:
        raise NotTaken(413, f"at most {LONGEST_BODY} bytes")
    body = await request.content.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        raise NotTaken(413, f"at most {LONGEST_BODY} bytes")
    told: Mapping[str, Any] = {name: request.headers.get(f"ce-{name}") for name in ("id", "type")}
    if request.content_type == "application/cloudevents+json":
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            raise NotTaken(400, "the body is no JSON") from None
    found = [told.get(name) for name in ("id", "type")] if isinstance(told, Mapping) else [None]
    if not all(isinstance(one, str) and 0 < len(one) <= LONGEST_NAME for one in found):
        raise NotTaken(400, f"send a CloudEvent whose id and type are texts of at most {LONGEST_NAME}")
    return Posted(str(found[0]), str(found[1]), datetime.now(UTC))
