"""The log keeps whole groups, whatever happens to its end."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.api.errors import SurroundingsFailed
from trimtab.collector.log import Kind, Log, Record, encode

RECORDS = [Record(Kind.EVENTS, b"[1]"), Record(Kind.LABELS, b""), Record(Kind.REVISION, bytes(300))]


def opened(folder: Path, **settings: int) -> tuple[Log, list[Record]]:
    log = Log(folder, lambda: [Record(Kind.TOTALS, b"{}")], **settings)
    return log, [record for _, record in log.replay() if record.kind is not Kind.TOTALS]


def last_file(folder: Path) -> Path:
    return max(folder.glob("*.log"))


def test_what_was_appended_is_read_again_in_order(tmp_path):
    log, held = opened(tmp_path)
    assert held == []
    log.append(RECORDS, 5)
    log.append(RECORDS[:1], 7)
    log.close()
    again, held = opened(tmp_path)
    assert held == [*RECORDS, RECORDS[0]]
    again.close()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 2_000), junk=st.binary(max_size=40))
def test_a_torn_tail_loses_only_what_it_tore_and_the_log_goes_on(tmp_path_factory, cut, junk):
    folder = tmp_path_factory.mktemp("log")
    log, _ = opened(folder)
    log.append(RECORDS, 1)
    path = last_file(folder)
    start = len(path.read_bytes()) - sum(len(encode(record)) for record in RECORDS)
    log.close()
    whole = path.read_bytes()
    kept = min(cut, len(whole))
    path.write_bytes(whole[:kept] + junk)
    ends = [start + sum(len(encode(one)) for one in RECORDS[: count + 1]) for count in range(len(RECORDS))]
    again, held = opened(folder)
    sound = sum(end <= kept for end in ends)
    assert held[:sound] == RECORDS[:sound]
    assert len(held) <= max(sound, sum(end <= kept + len(junk) for end in ends))
    again.append(RECORDS[:1], 2)
    again.close()
    last, more = opened(folder)
    assert more == [*held, RECORDS[0]]
    last.close()


def test_the_part_that_is_cut_is_kept_beside_the_log(tmp_path):
    log, _ = opened(tmp_path)
    log.append(RECORDS, 1)
    log.close()
    with last_file(tmp_path).open("ab") as file:
        file.write(b"torn")
    again, held = opened(tmp_path)
    assert held == RECORDS
    assert again.damaged == 1
    assert [path.read_bytes() for path in tmp_path.glob("*.torn")] == [b"torn"]
    again.close()


def test_a_flipped_bit_is_not_read_as_a_record(tmp_path):
    log, _ = opened(tmp_path)
    log.append(RECORDS, 1)
    log.close()
    path = last_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)
    again, held = opened(tmp_path)
    assert held == RECORDS[:2]
    again.close()


def test_an_empty_or_foreign_last_file_is_begun_anew(tmp_path):
    (tmp_path / "00000001.log").write_bytes(b"")
    log, held = opened(tmp_path)
    log.append(RECORDS, 1)
    log.close()
    assert held == []
    again, held = opened(tmp_path)
    assert held == RECORDS
    again.close()


def test_a_full_segment_is_followed_by_one_that_sums_it_up(tmp_path):
    log, _ = opened(tmp_path, segment_bytes=300)
    for number in range(4):
        log.append(RECORDS, number)
    assert len(log.segments) == 4
    assert log.drop_before(2) == 2
    log.close()
    again = Log(tmp_path, list)
    read = [record.kind for _, record in again.replay()]
    assert read == [Kind.TOTALS, *(record.kind for record in RECORDS)] * 2
    again.close()


def test_the_segment_that_is_written_to_is_never_dropped(tmp_path):
    log, _ = opened(tmp_path)
    log.append(RECORDS, 3)
    assert log.drop_before(1_000) == 0
    log.close()


def test_a_second_owner_is_refused_until_the_first_has_gone(tmp_path):
    log, _ = opened(tmp_path)
    with pytest.raises(SurroundingsFailed, match="another collector"):
        Log(tmp_path, list)
    log.close()
    opened(tmp_path)[0].close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SurroundingsFailed, match="cannot be written"):
        Log(tmp_path / "file", list)


def test_after_a_failed_flush_nothing_more_is_taken(tmp_path):
    log, _ = opened(tmp_path)
    log.append(RECORDS, 1)
    reader, writer = os.pipe()
    os.dup2(writer, log._file)  # a pipe cannot be flushed to a device: EINVAL, as a dying disk says EIO
    with pytest.raises(SurroundingsFailed):
        log.sync()
    with pytest.raises(SurroundingsFailed, match="cannot be written"):
        log.append(RECORDS, 2)
    os.close(reader)
    os.close(writer)
