"""What may go wrong with Redis, as sentences. None of them holds a password."""

from trimtab.adapters.online.redis_address import RedisAddress
from trimtab.api.errors import SurroundingsFailed


def failure(address: RedisAddress, error: Exception, within_s: float, key: str) -> SurroundingsFailed:
    """
    Args:
        within_s: how long was waited.
        key: of the project's layouts; its other keys begin with it.
    """
    if "WRONGTYPE " in str(error):
        return foreign(address, key)
    said, remedy = _told(error, within_s, key)
    return SurroundingsFailed(address.hidden(f"the online store at {address.url} {said}"), remedy=remedy)


def foreign(address: RedisAddress, key: str) -> SurroundingsFailed:
    """A value that this version cannot read."""
    return SurroundingsFailed(
        f"the online store at {address.url} holds something under '{key}' that is no row of this version",
        remedy="another program or another version of trimtab wrote it: delete the key, or give trimtab a database of "
        "its own (the number at the end of the address), and fill it again: a run of `materialization`",
    )


def _told(error: Exception, within_s: float, key: str) -> tuple[str, str]:
    from redis import exceptions as redis

    words = " ".join(str(error).split())[:300]

    def tells(kind: type[Exception], *phrases: str) -> bool:
        """Servers before version 7 wrap what a script met in words of their own."""
        return isinstance(error, kind) or any(phrase in words for phrase in phrases)

    if isinstance(error, redis.AuthenticationError):
        return (
            f"does not let us in ({words})",
            "see the user and the variable that the address names, as in redis://USER:${REDIS_PASSWORD}@HOST:6379/0",
        )
    if tells(redis.NoPermissionError, "ACL failure in script", "The user executing the script can't"):
        return (
            f"refused ({words})",
            f"its access list must allow the user: ~{key}* +mget +hgetall +eval +hexists +hsetnx +getrange +set",
        )
    if isinstance(error, redis.BusyLoadingError):
        return "is still loading its data", "wait, and ask again"
    if tells(redis.OutOfMemoryError, "OOM command not allowed"):
        return (
            f"is full and took none of these rows ({words})",
            "raise its maxmemory, or delete what nobody reads; then write them again",
        )
    if tells(redis.ReadOnlyError, "READONLY You can't write"):
        return (
            "is a read-only replica",
            "give the address of the primary to what writes; replicas may be read",
        )
    if isinstance(error, redis.MovedError | redis.ClusterCrossSlotError | redis.ClusterDownError):
        return (
            f"is a part of a Redis Cluster ({words})",
            "give a single server, or a proxy that speaks for the cluster",
        )
    if isinstance(error, redis.TimeoutError):
        return (
            f"does not answer within {within_s:g} s",
            "see that it runs, and what it is busy with: SLOWLOG GET",
        )
    if isinstance(error, redis.ConnectionError):
        return (
            f"cannot be reached ({words})",
            "see that it runs and can be reached from here; what was not confirmed may be written again",
        )
    if isinstance(error, redis.InvalidResponse):
        return f"does not speak Redis' protocol ({words})", "see host and port: something else answers there"
    return f"refused ({words})", "see the server's log"
