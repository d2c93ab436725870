"""The bearer token that Feast's feature server wants to see where its feature_store.yaml says `auth`.

FEAST_OIDC_TOKEN holds it, as for Feast's own client; TRIMTAB_FEAST_TOKEN_FILE names a file that does, such as the
token of a pod's service account. None is sent unasked: whoever reads a pod's own token may act as the pod.
"""

import os
from pathlib import Path
from typing import Final

from trimtab.api.errors import SurroundingsFailed

VARIABLE: Final = "FEAST_OIDC_TOKEN"
FILE_VARIABLE: Final = "TRIMTAB_FEAST_TOKEN_FILE"
GIVE: Final = f"give a token in {VARIABLE}, from a Secret, or the path of a file in {FILE_VARIABLE}"


def feast_token() -> tuple[str, str]:
    """(token, where it came from), read anew: a file's changes before it expires. ("", "") where none is given.

    Raises:
        SurroundingsFailed: the file cannot be read, or what is held is no token.
    """
    if said := os.environ.get(VARIABLE):
        return _whole(said, VARIABLE), VARIABLE
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return "", ""
    where = f"{FILE_VARIABLE} {path}"
    try:
        return _whole(Path(path).read_text(), where), where
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or "it is no text"
        raise SurroundingsFailed(
            f"the token for Feast's feature server, {where}, cannot be read: {because}",
            remedy="mount it there, where the server's user may read it",
        ) from error


def _whole(said: str, where: str) -> str:
    token = said.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SurroundingsFailed(
            f"what {where} holds is no bearer token for Feast's feature server",
            remedy="a token is one word, without `Bearer` before it",
        )
    return token
