"""Addresses of Redis: `redis://[USER][:${PASSWORD}]@HOST[:PORT][/DB]`, `rediss://` over TLS."""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from trimtab.api.errors import InputRefused

SCHEMES = ("redis", "rediss")
OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""What may follow `?`, in redis-py's words."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """
    Attributes:
        url: without user, password and what follows `?`: what messages show.
        options: what follows `?`.
    """

    url: str
    options: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parsed(cls, said: str) -> "RedisAddress":
        """
        Args:
            said: an address; as user or password, `${NAME}` stands for a variable of the environment, which holds it
                as it is: nothing in it need be encoded for an address.

        Raises:
            InputRefused: it is none, or a variable is not set.
        """
        refused = InputRefused(
            f"'{_bare(said)}' is no address of Redis", remedy="give redis://:${REDIS_PASSWORD}@HOST:6379/0"
        )
        try:
            parts = urlsplit(said)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise refused from None
        database = parts.path.strip("/") or "0"
        if parts.scheme not in SCHEMES or not parts.hostname or not database.isdigit():
            raise refused
        unknown = [name for name, _ in parse_qsl(parts.query) if name not in OPTIONS]
        if unknown:
            raise InputRefused(
                f"{_bare(said)}: '{unknown[0]}' may not follow the ?",
                remedy=f"there may be {', '.join(OPTIONS)}",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            url=f"{parts.scheme}://{host}{port}/{database}",
            options=parts.query,
            user=_given(parts.username, said),
            password=_given(parts.password, said),
        )

    def hidden(self, text: str) -> str:
        """A server's words without the password: some repeat a command that they do not know."""
        return text.replace(self.password, "***") if self.password else text


def filled(said: str) -> str:
    """What a variable holds, where `said` is `${NAME}` alone; else `said`.

    Raises:
        InputRefused: it is not set.
    """
    found = _VARIABLE.fullmatch(said)
    return _value(found[1], said) if found else said


def _given(part: str | None, said: str) -> str | None:
    if not part:
        return None
    found = _VARIABLE.fullmatch(part)
    return _value(found[1], _bare(said)) if found else unquote(part)


def _value(name: str, shown: str) -> str:
    held = os.environ.get(name)
    if not held:
        raise InputRefused(
            f"{shown}: the variable {name} of this address is not set",
            remedy=f"set {name}; in a pod, from a Secret",
        )
    return held


def _bare(said: str) -> str:
    """Without user, password and options, whatever is in them."""
    scheme, _, rest = said.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
