"""Asks a model server itself, past the gateway: is it ready for this name, and what does it answer to samples?"""

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from trimtab.adapters.http.refusal import refusal
from trimtab.ports.servers import Warmed

WARM_UP_HEADER: Final = "x-trimtab-warmup"
READY_WITHIN_S: Final = 2.0
ANSWER_WITHIN_S: Final = 10.0
NOT_SERVED: Final = (404, 405, 501)


class Http(Protocol):
    """One request to a Service of the cluster: status and body. Raises OSError where there is no answer."""

    def __call__(
        self, host: str, port: int, method: str, path: str, body: bytes | None, within_s: float
    ) -> tuple[int, bytes]: ...


def direct(
    host: str, port: int, method: str, path: str, body: bytes | None, within_s: float
) -> tuple[int, bytes]:
    """Http from inside the cluster."""
    connection = http.client.HTTPConnection(host, port, timeout=within_s)
    headers = {WARM_UP_HEADER: "1"} | ({"Content-Type": "application/json"} if body else {})
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{host} did not speak HTTP ({error!r})") from error
    finally:
        connection.close()


def is_ready(ask: Http, host: str, port: int, model_name: str) -> str:
    """ "" if the server answers ready for this name, by the v2 or the v1 protocol; else what it said."""
    said = ""
    for path in (f"/v2/models/{model_name}/ready", f"/v1/models/{model_name}"):
        try:
            status, _ = ask(host, port, "GET", path, None, READY_WITHIN_S)
        except OSError as error:
            return f"no answer from {host}:{port} ({error})"
        if 200 <= status < 300:
            return ""
        said = said if status in NOT_SERVED and said else f"{status} to {path}"
    return said


def warm(ask: Http, host: str, port: int, model_name: str, rows: Sequence[Any], requests: int) -> Warmed:
    """Ask `requests` times; ends at the first that was not answered at all.

    Rows go by the v1 protocol, by v2 where the server does not know that. Without rows it is asked whether it is ready.
    """
    answered, way, said = 0, 0, ""
    ways = _ways(model_name) if rows else _ways_without_rows(model_name)
    for turn in range(requests):
        row = rows[turn % len(rows)] if rows else None
        while True:
            method, path, body = ways[way](row)
            try:
                status, content = ask(host, port, method, path, body, ANSWER_WITHIN_S)
            except OSError as error:
                return Warmed(answered, f"no answer from {host}:{port} ({error})")
            if status in NOT_SERVED and way + 1 < len(ways):
                way += 1
                continue
            break
        if 200 <= status < 300:
            answered += 1
        else:
            said = refusal(status, content)
    return Warmed(answered, said)


Way = Callable[[Any], tuple[str, str, bytes | None]]


def _ways(model_name: str) -> list[Way]:
    return [
        lambda row: (
            "POST",
            f"/v1/models/{model_name}:predict",
            json.dumps({"instances": [row]}).encode(),
        ),
        lambda row: ("POST", f"/v2/models/{model_name}/infer", json.dumps(v2_body(row)).encode()),
    ]


def _ways_without_rows(model_name: str) -> list[Way]:
    return [
        lambda row: ("GET", f"/v2/models/{model_name}/ready", None),
        lambda row: ("GET", f"/v1/models/{model_name}", None),
    ]


def v2_body(row: Any) -> Mapping[str, Any]:
    """One row by the open inference protocol: a tensor a column, or one for a plain list of numbers.

    >>> v2_body({"distance": 3.5})["inputs"]
    [{'name': 'distance', 'shape': [1, 1], 'datatype': 'FP64', 'data': [3.5]}]
    """
    if isinstance(row, Mapping):
        return {"inputs": [_tensor(name, [value]) for name, value in row.items()]}
    values = row if isinstance(row, list) else [row]
    return {"inputs": [_tensor("input-0", values)]}


def _tensor(name: str, values: list[Any]) -> Mapping[str, Any]:
    text = any(isinstance(value, str) for value in values)
    return {
        "name": name,
        "shape": [1, len(values)],
        "datatype": "BYTES" if text else "FP64",
        "data": [str(value) if text else value for value in values],
    }
