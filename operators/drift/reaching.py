"""How an operator outside the cluster reaches what is in it: a Service by an address with its name in the path."""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from trimtab.adapters.kserve.asking import WARM_UP_HEADER, Http


def through(template: str) -> Http:
    """Ask by `template`, which holds {namespace}, {service} and {port}: kubectl proxy's form among others."""

    def ask(
        host: str, port: int, method: str, path: str, body: bytes | None, within_s: float
    ) -> tuple[int, bytes]:
        service, namespace = host.split(".")[:2]
        at = urlsplit(template.format(namespace=namespace, service=service, port=port))
        secure = at.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(at.hostname or "", at.port, timeout=within_s)
        headers = {WARM_UP_HEADER: "1"} | ({"Content-Type": "application/json"} if body else {})
        try:
            connection.request(method, at.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{host} did not speak HTTP ({error!r})") from error
        finally:
            connection.close()

    return ask


def leading(template: str) -> Callable[[str, str, int], tuple[str, int]]:
    """A Gateway's listener by `template`, HOST:PORT with {namespace}, {name} and {port} in it.

    >>> leading("127.0.0.1:1{port}")("gateways", "public", 8080)
    ('127.0.0.1', 18080)
    """

    def at(namespace: str, name: str, port: int) -> tuple[str, int]:
        host, _, number = template.format(namespace=namespace, name=name, port=port).rpartition(":")
        return host, int(number)

    return at
