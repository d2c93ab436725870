"""Lines of a body, however the network cuts it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st


@given(
    texts=st.lists(st.binary(min_size=1, max_size=30).filter(lambda text: b"\n" not in text), max_size=8),
    cut=st.binary(max_size=5).filter(lambda text: b"\n" not in text),
    sizes=st.lists(st.integers(1, 12), min_size=1),
)
def test_whole_lines_come_whole_and_a_cut_one_not_at_all(
    texts: list[bytes], cut: bytes, sizes: list[int]
) -> None:
    from operators.drift.runtime.stream import lines

    body = b"".join(text + b"\n" for text in texts) + cut

    class Cut:
        async def iter_any(self) -> AsyncIterator[bytes]:
            rest, turn = body, 0
            while rest:
                size = sizes[turn % len(sizes)]
                yield rest[:size]
                rest, turn = rest[size:], turn + 1

    async def read() -> list[bytes]:
        source: Any = Cut()
        return [line async for line in lines(source)]

    assert asyncio.run(read()) == texts
