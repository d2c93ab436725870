"""Addresses that people write down: a password stands in a secret, never in them."""

import re
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{[A-Z_][A-Z0-9_]*\}")
_PASSWORD: Final = re.compile(r"://[^/@\s:]*:(?P<password>[^/@\s]+)@")


def no_literal_password(address: str) -> str:
    """The address.

    Raises:
        ValueError: it holds a password, and no `${NAME}` in its place.
    """
    found = _PASSWORD.search(address)
    if found and not _VARIABLE.fullmatch(found["password"]):
        raise ValueError("holds a password — put it into a secret and write ${NAME} in its place")
    return address
