"""What the API server answers when it does not do as told, one type a reaction."""

from collections.abc import Mapping
from typing import Any


class RuntimeFailure(Exception):
    """All that this library raises of its own."""


class Fenced(RuntimeFailure):
    """Not sent: this process does not lead, or no longer knows that it does."""


class LeaseLost(RuntimeFailure):
    """Another process may lead from now on."""


class ApiError(RuntimeFailure):
    """The API server, or the way to it, said no.

    Attributes:
        status: of HTTP; 0 when no answer came.
        reason: the API server's word for it, such as AlreadyExists.
        retry_after_s: how long it asks to be left alone.
        details: what it says of the thing at fault (metav1.StatusDetails).
        maybe_sent: whether a write may have taken effect all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after_s: float | None = None,
        details: Mapping[str, Any] | None = None,
        maybe_sent: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.details = details or {}
        self.maybe_sent = maybe_sent


class NotFound(ApiError):
    """No such object."""


class NotInstalled(NotFound):
    """No such kind: its CustomResourceDefinition is not there, or does not serve this version."""


class Conflict(ApiError):
    """Somebody else wrote first: read again."""


class AlreadyExists(Conflict):
    """An object of this name is there already."""


class Invalid(ApiError):
    """The object breaks a rule; sent again, it would again."""


class Forbidden(ApiError):
    """This identity may not, or is nobody (401)."""


class TooManyRequests(ApiError):
    """Asked to slow down, for `retry_after_s`."""


class Expired(ApiError):
    """The resourceVersion or the continue token is too old: list anew."""


class Unavailable(ApiError):
    """No answer in time, no connection, or a fault inside the API server: try again."""


def from_status(status: int, body: Mapping[str, Any], retry_after_s: float | None = None) -> ApiError:
    """The error of a metav1.Status.

    >>> type(from_status(409, {"reason": "AlreadyExists", "message": "there"})).__name__
    'AlreadyExists'
    """
    reason = str(body.get("reason", ""))
    details = body.get("details") or {}
    if retry_after_s is None and details.get("retryAfterSeconds"):
        retry_after_s = float(details["retryAfterSeconds"])
    return _type(status, reason, details)(
        str(body.get("message") or reason or f"HTTP {status}"),
        status=status,
        reason=reason,
        retry_after_s=retry_after_s,
        details=details,
        maybe_sent=status >= 500,
    )


def _type(status: int, reason: str, details: Mapping[str, Any]) -> type[ApiError]:
    if status == 404:
        return NotFound if details.get("name") else NotInstalled
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    return _BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Forbidden,
    403: Forbidden,
    410: Expired,
    429: TooManyRequests,
}
