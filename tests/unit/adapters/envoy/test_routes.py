"""A split written as routes is the split that is read back, and its routes say what was meant."""

from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.envoy.routes import from_resource, to_resource
from trimtab.ports.gateway import Split

REVISIONS = ("aaaa1111", "bbbb2222", "cccc3333")


@st.composite
def splits(draw):
    first = draw(st.integers(1, 100))
    second = draw(st.integers(0, 100 - first))
    shares = {REVISIONS[0]: first, REVISIONS[1]: second, REVISIONS[2]: 100 - first - second}
    weights = {revision: weight for revision, weight in shares.items() if weight}
    percent = draw(st.integers(0, 100))
    return Split(weights, draw(st.sampled_from(REVISIONS)), percent) if percent else Split(weights)


def written(split, order=REVISIONS):
    return to_resource("flights", "flights", 2.5, split, order, 7)


@given(splits(), st.permutations(REVISIONS))
def test_a_split_is_read_as_it_was_written(split, order):
    assert from_resource("flights", written(split, order)) == split


@given(splits())
def test_each_path_ends_in_a_route_without_header_matches_so_that_nothing_falls_through(split):
    routes = written(split)["virtual_hosts"][1]["routes"]
    by_path = {}
    for route in routes:
        match = route["match"]
        by_path.setdefault(match.get("path") or match["path_separated_prefix"], []).append(match)
    assert set(by_path) == {
        "/v1/models/flights",
        "/v1/models/flights:predict",
        "/v1/models/flights:explain",
        "/v2/models/flights",
    }
    assert all("headers" not in matches[-1] for matches in by_path.values())


@given(splits(), st.permutations(REVISIONS))
def test_clusters_stand_in_the_order_given_and_weigh_100(split, order):
    for route in written(split, order)["virtual_hosts"][1]["routes"]:
        clusters = route["route"]["weighted_clusters"]["clusters"]
        assert sum(cluster["weight"] for cluster in clusters) == 100
        names = [cluster["name"].removesuffix(".answer") for cluster in clusters]
        assert names == [revision for revision in order if revision in split.weights]


@given(st.integers(1, 99), st.integers(0, 2**64 - 1))
def test_a_draw_is_copied_by_its_share_of_all_draws(percent, draw):
    split = Split({REVISIONS[0]: 100}, REVISIONS[1], percent)
    routes = written(split)["virtual_hosts"][1]["routes"]
    first = next(r for r in routes if _takes(r["match"], draw))
    policies = first["route"].get("request_mirror_policies", [])
    shares = [policy["runtime_fraction"]["default_value"]["numerator"] for policy in policies]
    meant = draw * 100 < 2**64 * percent if percent <= 50 else draw * 100 >= 2**64 * (100 - percent)
    edge = min(abs(draw * 100 - 2**64 * p) for p in (percent, 100 - percent)) <= 100
    assert edge or shares == ([100] if meant else [])


def _takes(match, draw):
    """As Envoy reads a header: a number above the largest signed one is no number to a range."""
    for header in match.get("headers", ()):
        span = header.get("range_match")
        if span and not (draw < 2**63 and int(span["start"]) <= draw < int(span["end"])):
            return False
    return True


def test_a_host_without_a_split_has_only_the_probe():
    resource = to_resource("flights", "flights", 60, None, (), 3)
    assert [host["name"] for host in resource["virtual_hosts"]] == ["probe"]
    assert from_resource("flights", resource) is None
