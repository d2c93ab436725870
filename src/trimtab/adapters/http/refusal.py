"""What a server said when it refused."""

import json
from typing import Any, Final

LONGEST: Final = 300
"""Characters of its text."""


def refusal(status: int, body: bytes) -> str:
    r"""Status and text, in one line: an `error` or `message` of a JSON answer, else the answer itself.

    >>> refusal(400, b'{"error": "no online store"}')
    '400: no online store'
    >>> refusal(404, b'"{\\"message\\": \\"no view planes\\"}"')
    '404: no view planes'
    >>> refusal(503, b"")
    '503'
    """
    text = " ".join(_text(body).split())
    return f"{status}: {text[:LONGEST]}" if text else str(status)


def _text(body: bytes) -> str:
    plain = body.decode(errors="replace")
    try:
        said: Any = json.loads(plain)
    except ValueError:
        return plain
    if isinstance(said, dict):
        said = said.get("error") or said.get("message") or said.get("detail") or plain
    return _text(said.encode()) if isinstance(said, str) else plain  # Feast's is JSON within JSON
