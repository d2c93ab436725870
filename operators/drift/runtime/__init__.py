"""What any controller needs and no controller should write twice: a cache fed by watches, a keyed queue, a lease.

A process makes one Client, runs a Reflector a kind on every replica, and one Elector; the Elector's work runs
Controllers, whose handlers write through the Client, `waited` for in their threads, behind the Elector's fence.
Nothing here knows what the objects mean.
"""

from operators.drift.runtime.backoff import Backoff
from operators.drift.runtime.blocking import waited
from operators.drift.runtime.calls import Call
from operators.drift.runtime.client import Client, Page
from operators.drift.runtime.controller import (
    Controller,
    Handler,
    Looked,
    ToKeys,
    own_key,
    own_key_when_told,
)
from operators.drift.runtime.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Fenced,
    Forbidden,
    Invalid,
    LeaseLost,
    NotFound,
    NotInstalled,
    RuntimeFailure,
    TooManyRequests,
    Unavailable,
)
from operators.drift.runtime.fenced import Fence, boot_clock
from operators.drift.runtime.lease import Elector
from operators.drift.runtime.queue import Queue
from operators.drift.runtime.reflector import Reflector, drop_managed_fields, wait_all_synced
from operators.drift.runtime.resource import Key, Object, Resource, key_of, labels_of, uid_of, version_of
from operators.drift.runtime.store import Store
from operators.drift.runtime.watch import Event

__all__ = [
    "AlreadyExists",
    "ApiError",
    "Backoff",
    "Call",
    "Client",
    "Conflict",
    "Controller",
    "Elector",
    "Event",
    "Expired",
    "Fence",
    "Fenced",
    "Forbidden",
    "Handler",
    "Invalid",
    "Key",
    "LeaseLost",
    "Looked",
    "NotFound",
    "NotInstalled",
    "Object",
    "Page",
    "Queue",
    "Reflector",
    "Resource",
    "RuntimeFailure",
    "Store",
    "ToKeys",
    "TooManyRequests",
    "Unavailable",
    "boot_clock",
    "drop_managed_fields",
    "key_of",
    "labels_of",
    "own_key",
    "own_key_when_told",
    "uid_of",
    "version_of",
    "wait_all_synced",
    "waited",
]
