"""The check of a features.py before anything is run."""

from typing import Any

import pytest
from learning_workshop import FEATURES

pytestmark = pytest.mark.xdist_group("learning")


@pytest.fixture
def check(flights: Any) -> Any:
    from trimtab.steps.check_features import check_project_features

    def call(features: str, pointers: Any = None) -> list[str]:
        path = flights.root / "checked.py"
        path.write_text(features)
        known = flights.pointers if pointers is None else pointers
        found = check_project_features(flights.project(), path, known, flights.engine, flights.tables)
        return [one.message for one in found]

    return call


def test_a_sound_file_passes_on_real_rows_and_without_any(check: Any) -> None:
    assert check(FEATURES) == []
    assert check(FEATURES, {}) == []


def test_a_look_at_other_rows_is_found_with_and_without_data(check: Any) -> None:
    leaking = FEATURES + (
        "\n_own = transform\n\n\ndef transform(rows):\n"
        '    return {**_own(rows), "share": rows["distance"] / np.nansum(rows["distance"])}\n'
    )
    assert any("'share'" in message for message in check(leaking))
    assert any("'share'" in message for message in check(leaking, {}))


def test_a_column_that_no_table_has_is_named(check: Any) -> None:
    (message,) = check(FEATURES.replace('("temp", "visib")', '("temperature", "visib")'))
    assert "'temperature', which table 'weather' lacks" in message
