"""The home of a packed store, by its address."""

from pathlib import Path

from trimtab.adapters.online.redis_address import SCHEMES, RedisAddress, filled
from trimtab.adapters.online.sqlite import SqliteOnlineStore
from trimtab.api.errors import InputRefused
from trimtab.ports.online import OnlineStore


def online_store(where: str, project: str, within_s: float | None = None) -> OnlineStore:
    """
    Args:
        where: a file, or redis://[USER]:${PASSWORD}@HOST[:PORT][/DB]; or ${NAME} for the whole of it.
        project: whose rows a server holds; a file holds one project's.
        within_s: in which a server answers; None for as long as a request may wait.

    Raises:
        InputRefused: another scheme, or a variable that is not set.
        ExtraMissing: no client of that server here.
        SurroundingsFailed: the file cannot be opened.
    """
    where = filled(where)
    scheme, found, _ = where.partition("://")
    if not found:
        return SqliteOnlineStore(Path(where))
    if scheme not in SCHEMES:
        raise InputRefused(
            f"an online store cannot be written at {scheme}://…", remedy="give redis://HOST:6379/0, or a file"
        )
    from trimtab.adapters.online.redis import READ_WITHIN_S, RedisOnlineStore

    return RedisOnlineStore(RedisAddress.parsed(where), project, within_s or READ_WITHIN_S)
