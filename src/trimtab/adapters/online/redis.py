"""The online store in Redis, or in another server of its protocol such as Valkey: shared by many machines.

    trimtab:PROJECT             a hash: layout's id → [view, columns]
    trimtab:PROJECT:VIEW:KEY    format (a byte), time (int64 µs since the epoch, little-endian), packed row

A request's look-ups are one MGET. A batch is one script, which the server runs alone: it looks at all keys before
it writes the first, so that what it cannot take (memory full, read-only, a foreign value) it refuses as a whole.
Rows do not expire: how old one may be says its view, to the reader. Used inside the model server.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trimtab.adapters.online.layouts import Layouts
from trimtab.adapters.online.newest import newest
from trimtab.adapters.online.packing import Layout, columns_of, layout_id, pack
from trimtab.adapters.online.redis_address import RedisAddress
from trimtab.adapters.online.redis_failures import failure, foreign
from trimtab.api.errors import ExtraMissing, SurroundingsFailed
from trimtab.features.columns import Array, Columns, Kind
from trimtab.ports.online import Found

if TYPE_CHECKING:
    from redis import Redis

FORMAT: Final = 1
ROWS_AT_ONCE: Final = 10_000
"""Of one script, 50 to 100 ms: while it runs, nobody reads."""
_HEAD: Final = struct.Struct("<Bq")
_NOT_A_TIME: Final = np.iinfo(np.int64).min
_WRITE: Final = """
local newer = {}
redis.call('HEXISTS', KEYS[1], ARGV[1])
for i = 2, #KEYS do
  local held = redis.pcall('GETRANGE', KEYS[i], 0, 8)
  if type(held) == 'table' then
    if held.err and string.sub(held.err, 1, 9) == 'WRONGTYPE' then return -i end
    return held
  end
  if held == '' then
    newer[#newer + 1] = i
  elseif #held < 9 or string.byte(held) ~= string.byte(ARGV[i + 1]) then
    return -i
  else
    local low, high = struct.unpack('<I4i4', held, 2)
    local new_low, new_high = struct.unpack('<I4i4', ARGV[i + 1], 2)
    if new_high > high or (new_high == high and new_low >= low) then newer[#newer + 1] = i end
  end
end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
for _, i in ipairs(newer) do redis.call('SET', KEYS[i], ARGV[i + 1]) end
return #newer
"""
"""KEYS: the layouts, then a row's each. ARGV: the layout's id and content, then the rows. How many rows it took, or
−i where the i-th key holds what is not ours. A double cannot hold every µs, so times are compared by halves."""


class RedisOnlineStore:
    """`trimtab.ports.online.OnlineStore` in Redis. Threads may share one.

    Args:
        project: whose rows these are; Feast's spelling of it (with _ for -) is the same project.
        within_s: in which a connection is made, and a call is answered.

    Raises:
        ExtraMissing: no client of Redis here.
    """

    def __init__(self, address: RedisAddress, project: str, within_s: float) -> None:
        self._address = address
        self._within_s = within_s
        self._layouts_key = f"trimtab:{project.replace('-', '_')}"
        self._layouts = Layouts()
        self._client = _client(address, within_s)

    def close(self) -> None:
        self._client.close()

    def read(self, wanted: Sequence[tuple[str, Sequence[str | None]]]) -> list[Found]:
        places = {(view, key): None for view, keys in wanted for key in keys if key is not None}
        values = self._asked("mget", [self._key(*place) for place in places]) if places else []
        rows = {place: self._row(*place, value) for place, value in zip(places, values, strict=True) if value}
        if any(self._layouts.kinds(view) is None for view, _ in wanted):
            self._read_layouts()
        found = []
        for view, keys in wanted:
            hits = [rows.get((view, key)) if key is not None else None for key in keys]
            times = np.array([_NOT_A_TIME if hit is None else hit[0] for hit in hits], np.int64)
            columns = columns_of(
                self._layouts.kinds(view) or {}, [None if hit is None else hit[1] for hit in hits]
            )
            found.append(Found(times.view("datetime64[us]"), columns))
        return found

    def write(
        self,
        view: str,
        kinds: Mapping[str, Kind],
        keys: Sequence[str | None],
        times: Array | None,
        columns: Columns,
    ) -> int:
        """More than ROWS_AT_ONCE go in parts, each a transaction: one that fails leaves those before it, and writing
        again completes them."""
        names, stamps, chosen = newest(keys, times)
        layout = Layout.of(kinds)
        number = layout.number(view)
        if number not in self._layouts:
            self._read_layouts()
            self._layouts.agree(view, layout)
        packed = pack(layout, number, columns, chosen)
        told = (number, json.dumps([view, layout.to_json()]))
        taken = 0
        for start in range(0, len(names), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            held = [self._key(view, name) for name in names[part]]
            rows = [_HEAD.pack(FORMAT, t) + row for t, row in zip(stamps[part], packed[part], strict=True)]
            try:
                taken += self._taken(told, held, rows)
            except SurroundingsFailed as error:
                if not start:
                    raise
                raise SurroundingsFailed(
                    f"{error.message}; {start:,} rows of the batch are written, {len(names) - start:,} are not",
                    remedy=error.remedy,
                ) from error
        return taken

    def _taken(self, told: tuple[int, str], keys: Sequence[str], rows: Sequence[bytes]) -> int:
        done: int = self._asked("eval", _WRITE, 1 + len(keys), self._layouts_key, *keys, *told, *rows)
        if done < 0:
            raise foreign(self._address, keys[-done - 2])
        return done

    def _key(self, view: str, key: str) -> str:
        return f"{self._layouts_key}:{view}:{key}"

    def _row(self, view: str, key: str, value: bytes) -> tuple[int, dict[str, Any]]:
        try:
            form, time = _HEAD.unpack_from(value)
            packed = value[_HEAD.size :]
            if form != FORMAT:
                raise ValueError(form)
            if layout_id(packed) not in self._layouts:
                self._read_layouts()
            return time, self._layouts.row(packed)
        except (struct.error, KeyError, ValueError) as error:
            raise foreign(self._address, self._key(view, key)) from error

    def _read_layouts(self) -> None:
        held = self._asked("hgetall", self._layouts_key)
        try:
            for number, told in sorted((int(number), told) for number, told in held.items()):
                self._layouts.add(number, *json.loads(told))
        except (ValueError, TypeError) as error:
            raise foreign(self._address, self._layouts_key) from error

    def _asked(self, command: str, *arguments: Any) -> Any:
        from redis.exceptions import RedisError

        try:
            return getattr(self._client, command)(*arguments)
        except RedisError as error:
            raise failure(self._address, error, self._within_s, self._layouts_key) from error


def _client(address: RedisAddress, within_s: float) -> "Redis":
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ExtraMissing("redis", "an online store in Redis") from error
    return redis.Redis.from_url(
        f"{address.url}?{address.options}",
        username=address.user,
        password=address.password,
        socket_timeout=within_s,
        socket_connect_timeout=within_s,
        retry=Retry(NoBackoff(), 0),  # its own would make three more tries of `within_s` each
    )
