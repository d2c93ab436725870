"""HTTP client of the collector: ports.evidence.Evidence, and what a driver posts and a report reads.

One connection, kept alive, used by one thread at a time. An idempotent question is asked again, once, when
the connection that was kept turns out to be closed; so are posts, which the collector takes once by key.
"""

import base64
import http.client
import json
import math
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.evidence import Agreement, BlockCut, Latencies, PairedBlock, RequestCount, ScoredBlock
from trimtab.sketch import Grid, Sketch, from_bytes

LABELS_A_POST: Final = 20_000
Query = dict[str, str | int | datetime]


@dataclass(frozen=True, slots=True)
class Label:
    """One outcome to post.

    Attributes:
        time: the example's own event time, for one that was never predicted here; else None.
    """

    id: str
    label: float
    known_at: datetime
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """One revision's predictions over a span, by time and id.

    Attributes:
        id: example ids, shape (rows,).
        time: datetime64[us] UTC, shape (rows,).
        p: NaN where not finite, shape (rows,).
        label: NaN where none has come, shape (rows,).
    """

    id: Sequence[str]
    time: NDArray[np.datetime64]
    p: NDArray[np.float64]
    label: NDArray[np.float64]


class Collector:
    """The collector at an address such as `http://127.0.0.1:8201`.

    Every method raises SurroundingsFailed when the collector cannot be reached or fails, and InputRefused
    when it refuses what was sent.

    Args:
        passing: around each call; may refuse to let it through.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = 30.0,
        passing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme != "http" or parts.hostname is None:
            raise InputRefused(f"'{address}' is no http address", remedy="give http://HOST:PORT")
        self.address = f"http://{parts.hostname}:{parts.port or 80}"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)
        self._grids: dict[str, Grid] = {}
        self._passing = passing

    def observe(self, revision: str, profile: bytes) -> None:
        self._send("PUT", f"/v1/revisions/{urllib.parse.quote(revision, safe='')}", profile)

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, Sketch]:
        answer = self._ask("/v1/windows/sketches", revision=revision, start=start, end=end)
        return {
            one["grid"]["column"]: from_bytes(base64.b64decode(one["sketch"]), self._grid(one["grid"]))
            for one in answer["features"]
        }

    def _grid(self, told: Mapping[str, Any]) -> Grid:
        """A grid keeps tables that are costly to make; the same description gives the same object."""
        key = json.dumps(told, sort_keys=True)
        if key not in self._grids:
            self._grids[key] = Grid.from_json(told)
        return self._grids[key]

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        asked: Query = {"revision": revision, "start": start, "end": end, "bucket_s": bucket_s}
        answer = self._ask("/v1/windows/requests", **asked)
        return [RequestCount(**one | {"start": moment(one["start"])}) for one in answer["buckets"]]

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies:
        answer = self._ask("/v1/windows/latencies", revision=revision, start=start, end=end)
        return Latencies(tuple(answer["edges_ms"]), tuple(answer["counts"]))

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        asked: Query = {"revision": revision, "start": start, "end": end, "now": now, **cut_of(cut)}
        answer = self._ask("/v1/windows/scored", **asked)
        return [ScoredBlock(**one | {"start": moment(one["start"])}) for one in answer["blocks"]]

    def paired(
        self, stable: str, candidate: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[PairedBlock]:
        asked: Query = {"revision": stable, "candidate": candidate, "start": start, "end": end, "now": now}
        answer = self._ask("/v1/windows/paired", **asked, **cut_of(cut))
        return [PairedBlock(**one | {"start": moment(one["start"])}) for one in answer["blocks"]]

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement:
        asked: Query = {"revision": stable, "candidate": candidate, "start": start, "end": end}
        return Agreement(**self._ask("/v1/windows/agreement", **asked))

    def received(self) -> Mapping[str, int]:
        counts: dict[str, int] = self._ask("/v1/received")["received"]
        return counts

    def probed(self, nonce: str) -> Mapping[str, int]:
        """Marked requests that came: `requests`, `ids` among them, and `pairs`, the ids that came twice."""
        counted: dict[str, int] = self._ask("/v1/probes", nonce=nonce)
        return counted

    def predictions(self, revision: str, start: datetime, end: datetime) -> Predictions:
        """Every prediction of a span with its label as far as it has come, mature or not."""
        answer = self._ask("/v1/predictions", revision=revision, start=start, end=end)
        return Predictions(
            answer["id"],
            np.array(answer["time_us"], np.int64).astype("datetime64[us]"),
            floats(answer["p"]),
            floats(answer["label"]),
        )

    def labels(self, labels: Sequence[Label]) -> None:
        """Post outcomes; those that were posted before change nothing."""
        for first in range(0, len(labels), LABELS_A_POST):
            part = [told(label) for label in labels[first : first + LABELS_A_POST]]
            self._send("POST", "/v1/labels", json.dumps({"labels": part}).encode())

    def close(self) -> None:
        self._connection.close()

    def _ask(self, path: str, **query: str | int | datetime) -> Any:
        text = {
            name: rfc3339(value) if isinstance(value, datetime) else value for name, value in query.items()
        }
        target = f"{path}?{urllib.parse.urlencode(text)}" if text else path
        return json.loads(self._send("GET", target))

    def _send(self, method: str, target: str, body: bytes | None = None) -> bytes:
        with self._passing():
            return self._sent(method, target, body)

    def _sent(self, method: str, target: str, body: bytes | None) -> bytes:
        headers = {"content-type": "application/json"} if body is not None else {}
        fresh = self._connection.sock is None
        try:
            return self._once(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if fresh or isinstance(error, TimeoutError):
                raise self._unreachable(error) from error
        try:
            return self._once(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self._unreachable(error) from error

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        self._connection.request(method, target, body, dict(headers))
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise refusal(self.address, response.status, content)
        return content

    def _unreachable(self, error: Exception) -> SurroundingsFailed:
        return SurroundingsFailed(
            f"the collector at {self.address} does not answer ({error or type(error).__name__})",
            remedy="see its log; `trimtab status` says whether it runs",
        )


def refusal(address: str, status: int, content: bytes) -> InputRefused | SurroundingsFailed:
    """What the collector said, as an error of ours: 4xx is the sender's fault, 5xx is not."""
    try:
        told = json.loads(content)
    except ValueError:
        told = {}
    because = told.get("error") or content[:200].decode(errors="replace")
    message = f"the collector at {address} answered {status}: {because}"
    kind = InputRefused if status < 500 else SurroundingsFailed
    return kind(message, remedy=told.get("remedy"))


def told(label: Label) -> dict[str, Any]:
    one = {"id": label.id, "label": float(label.label), "known_at": rfc3339(label.known_at)}
    return one if label.time is None else one | {"time": rfc3339(label.time)}


def cut_of(cut: BlockCut) -> dict[str, str | int]:
    return {"length_s": cut.length_s, "zone": cut.zone, "cut_hour": cut.cut_hour}


def rfc3339(time: datetime) -> str:
    if time.tzinfo is None:
        raise InputRefused(f"{time.isoformat()} has no time zone", remedy="pass timezone-aware UTC")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], np.float64)
