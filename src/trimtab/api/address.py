"""Addresses that people write down: a password stands in a secret, never in them."""

import re
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{[A-Z_][A-Z0-9_]*\}")
_PASSWORD: Final = re.compile(r"://[^/@\s:]*:(?P<password>[^/@\s]+)@")
_SECRET: Final = re.compile(r"""(://[^/@\s:]*:)([^\s'"]+)@""")
"""As much as may be one."""


def no_literal_password(address: str) -> str:
    """The address.

    Raises:
        ValueError: it holds a password, and no `${NAME}` in its place.
    """
    found = _PASSWORD.search(address)
    if found and not _VARIABLE.fullmatch(found["password"]):
        raise ValueError("holds a password — put it into a secret and write ${NAME} in its place")
    return address


def hidden(text: str) -> str:
    """A text with the passwords of its addresses starred out, whatever they are written with; `${NAME}` stays.

    >>> hidden("'redis://:hunt/e@r2@host/0' is odd, redis://:${SECRET}@host/0 is not")
    "'redis://:***@host/0' is odd, redis://:${SECRET}@host/0 is not"
    """
    return _SECRET.sub(lambda found: found[0] if _VARIABLE.fullmatch(found[2]) else f"{found[1]}***@", text)
