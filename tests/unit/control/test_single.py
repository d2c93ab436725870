"""A model without a registry: what must be remembered of it outlives the status."""

import json

import pytest

from trimtab.api.errors import InputRefused
from trimtab.control import SingleVersion, digest_of_address
from trimtab.ports.registry import ModelVersion


def wished(version="1", uri="s3://m/1"):
    return ModelVersion("flights", version, uri, digest_of_address(uri))


def test_the_wished_version_is_the_candidate():
    registry = SingleVersion(wished(), {})
    assert registry.alias("flights", "candidate") == wished()
    assert registry.alias("flights", "stable") is None
    assert registry.versions("flights") == (wished(),)


def test_what_was_said_of_a_version_outlives_its_time_in_the_spec():
    notes = {}
    first = SingleVersion(wished(), notes)
    first.set_alias("flights", "stable", "1")
    first.tag("flights", "1", "trimtab.rejected.a/b", "no")
    notes = json.loads(json.dumps(notes))
    second = SingleVersion(wished("2", "s3://m/2"), notes)
    assert second.alias("flights", "stable").uri == "s3://m/1"
    assert second.version("flights", "1").tags == {"trimtab.rejected.a/b": "no"}
    assert [one.version for one in second.versions("flights")] == ["1", "2"]
    second.untag("flights", "1", "trimtab.rejected.a/b")
    assert SingleVersion(wished(), notes).alias("flights", "candidate").tags == {}


def test_a_version_under_way_that_the_spec_no_longer_names_can_be_barred():
    """Wished for, taken as candidate, and replaced in the spec before anything was noted of it."""
    notes = {}
    registry = SingleVersion(wished("3", "s3://m/3"), notes, [wished("2", "s3://m/2")])
    assert registry.version("flights", "2").uri == "s3://m/2"
    registry.tag("flights", "2", "trimtab.rejected.a/b", "no")
    assert registry.version("flights", "2").tags == {"trimtab.rejected.a/b": "no"}
    later = SingleVersion(wished("3", "s3://m/3"), json.loads(json.dumps(notes)))
    assert later.version("flights", "2") == registry.version("flights", "2")
    assert registry.alias("flights", "candidate").version == "3"


def test_another_model_under_the_version_of_one_under_way_is_another_version():
    registry = SingleVersion(wished("2", "s3://m/other"), {}, [wished("2", "s3://m/2")])
    assert registry.alias("flights", "candidate").version.startswith("2-")
    assert registry.version("flights", "2").uri == "s3://m/2"
    same = SingleVersion(wished("2", "s3://m/2"), {}, [wished("2", "s3://m/2")])
    assert [one.version for one in same.versions("flights")] == ["2"]


def test_another_model_under_an_old_version_is_another_version():
    notes = {}
    SingleVersion(wished(), notes).set_alias("flights", "stable", "1")
    moved = SingleVersion(wished("1", "s3://m/other"), notes)
    assert moved.alias("flights", "stable").uri == "s3://m/1"
    assert moved.alias("flights", "candidate").version.startswith("1-")
    assert moved.alias("flights", "candidate").uri == "s3://m/other"


def test_notes_stay_few():
    notes = {}
    for number in range(60):
        registry = SingleVersion(wished(f"{number}", f"s3://m/{number}"), notes)
        registry.tag("flights", f"{number}", "t", "no")
        if number == 0:
            registry.set_alias("flights", "stable", "0")
    assert len(registry.versions("flights")) <= 23
    assert registry.alias("flights", "stable").version == "0"


def test_nobody_registers_here():
    with pytest.raises(InputRefused):
        SingleVersion(wished(), {}).register("flights", "s3://m/2", "d", {})
