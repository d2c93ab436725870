"""How an operator that runs outside the cluster asks a Service: through an address with its name in the path."""

import http.client
from urllib.parse import urlsplit

from trimtab.adapters.kserve.asking import WARM_UP_HEADER, Http


def through(template: str) -> Http:
    """Ask by `template`, which holds {namespace}, {service} and {port}: kubectl proxy's form among others."""

    def ask(host: str, port: int, method: str, path: str, body: bytes | None, within_s: float) -> int:
        service, namespace = host.split(".")[:2]
        at = urlsplit(template.format(namespace=namespace, service=service, port=port))
        secure = at.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(at.hostname or "", at.port, timeout=within_s)
        headers = {WARM_UP_HEADER: "1"} | ({"Content-Type": "application/json"} if body else {})
        try:
            connection.request(method, at.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except http.client.HTTPException as error:
            raise OSError(f"{host} did not speak HTTP ({error!r})") from error
        finally:
            connection.close()

    return ask
