"""Marked requests are counted by path and by id, and what is held stays small."""

from trimtab.collector.probes import MOST_IDS, MOST_NONCES, Probes


def test_a_request_and_its_copy_are_a_pair():
    probes = Probes()
    for name in ("a", "a", "b", "b", "b", "c"):
        probes.count("one", name)
    probes.count("two", "a")
    assert probes.counted("one") == {"requests": 6, "ids": 3, "pairs": 1}
    assert probes.counted("two") == {"requests": 1, "ids": 1, "pairs": 0}


def test_requests_without_an_id_are_no_pair():
    probes = Probes()
    probes.count("one", "")
    probes.count("one", "")
    assert probes.counted("one") == {"requests": 2, "ids": 0, "pairs": 0}


def test_what_is_held_is_bounded_and_the_silent_go_first():
    probes = Probes()
    for number in range(10 * MOST_NONCES):
        probes.count(f"n{number}", "a")
        probes.count("mine", f"id-{number}")
    assert probes.counted("n0") == {"requests": 0, "ids": 0, "pairs": 0}
    assert probes.counted("mine")["ids"] == MOST_IDS
    assert len(probes._held) == MOST_NONCES
