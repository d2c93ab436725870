"""The digest of rows: what it depends on, and what it does not."""

from hypothesis import given
from hypothesis import strategies as st

from trimtab.steps.content import Sums

parts = st.builds(
    Sums, st.integers(0, 10_000), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)
)  # fmt: skip
COLUMNS = {"id": "integer", "name": "string"}


@given(one=parts, two=parts, three=parts)
def test_the_order_in_which_parts_are_added_does_not_matter(one, two, three):
    assert (one + two + three).digest(COLUMNS) == (three + one + two).digest(COLUMNS)


@given(table=parts, old=parts, new=parts)
def test_taking_a_part_out_undoes_adding_it(table, old, new):
    assert table + old - old == table
    assert (table + old) - old + new == table + new


@given(one=parts)
def test_a_digest_knows_names_types_and_order_of_columns(one):
    digests = {
        one.digest(COLUMNS),
        one.digest({"id": "integer", "title": "string"}),
        one.digest({"id": "number", "name": "string"}),
        one.digest({"name": "string", "id": "integer"}),
    }
    assert len(digests) == 4


@given(one=parts)
def test_sums_come_back_from_json(one):
    assert Sums.from_json(one.to_json()) == one
