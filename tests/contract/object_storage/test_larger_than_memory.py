"""The pipeline's own train step, on a features table in a bucket that does not fit into its memory."""

from pathlib import Path

import pytest

from tests.contract.network.test_larger_than_memory import learn_in_little_memory
from tests.contract.object_storage.conftest import Lake

pytestmark = pytest.mark.xdist_group("bucket")


def test_the_train_step_learns_from_a_bucket_in_the_memory_that_a_folder_takes(
    lake: Lake, tmp_path: Path
) -> None:
    assert learn_in_little_memory(tmp_path, lake.address) == [
        "times the limit: True",
        "rows: True",
        "right: True",
    ]
    assert lake.proxy.told()["served"] > 50 * 2**20
