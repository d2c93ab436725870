"""Online stores by their addresses."""

from pathlib import Path

from trimtab.adapters.online.redis_address import SCHEMES, RedisAddress, filled
from trimtab.adapters.online.sqlite import SqliteOnlineStore
from trimtab.api.errors import InputRefused
from trimtab.features.plan import ServingPlan
from trimtab.ports.online import OnlineReader, OnlineStore

HTTP = ("http", "https")
READ_WITHIN_S = 2.0
"""A request waits for it."""
WRITTEN_WITHIN_S = 30.0


def online_reader(where: str, plan: ServingPlan) -> OnlineReader:
    """What a model's columns are looked up in.

    Args:
        where: as `online_store` takes it, or http(s)://HOST:PORT of Feast's feature server.

    Raises:
        TrimtabError: as `online_store`.
    """
    where = filled(where)
    if where.partition("://")[0] not in HTTP:
        return online_store(where, plan.model_name, READ_WITHIN_S)
    from trimtab.adapters.online.feast_server import FeastServer

    return FeastServer(where, plan.views, {one.name: one.type for one in plan.inputs}, READ_WITHIN_S)


def written_by_feast(where: str) -> bool:
    """Is it a Feast server, which is read only?"""
    return filled(where).partition("://")[0] in HTTP


def online_store(where: str, project: str, within_s: float = WRITTEN_WITHIN_S) -> OnlineStore:
    """
    Args:
        where: a file, or redis://[USER]:${PASSWORD}@HOST[:PORT][/DB]; or ${NAME} for the whole of it.
        project: whose rows a server holds; a file holds one project's.
        within_s: in which a server answers.

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
            f"there is no online store at {scheme}://… that could be written",
            remedy="give redis://:${REDIS_PASSWORD}@HOST:6379/0, or a file",
        )
    from trimtab.adapters.online.redis import RedisOnlineStore

    return RedisOnlineStore(RedisAddress.parsed(where), project, within_s)
