"""What came out of the Dockerfiles: who runs, what is in it, and that the same content is the same image."""

import json
import re

ABSENT = {
    "operator": {"torch", "kfp", "ray", "feast", "kserve"},
    "serving": {"torch", "feast", "mlflow", "mlflow-skinny", "ray", "kfp"},
}
HELP = {"operator": ("python3", "-m", "operators.drift", "--help"),
        "serving": ("python3", "-m", "trimtab.bootstrap.serving", "--help")}  # fmt: skip


def test_it_starts_as_nobody_and_can_write_into_tmp_alone(image, inside):
    assert inside("id", "-u") == "65532"
    writable = "import os; print([p for p in ('/', '/opt', '/opt/trimtab', '/usr', '/etc') if os.access(p, os.W_OK)])"
    assert inside("python3", "-c", writable) == "[]"
    assert "usage" in inside(*HELP[image[0]]).lower()


def test_nothing_heavy_is_in_it(image, bill):
    assert not {one["name"].lower() for one in bill["components"]} & ABSENT[image[0]]


def test_the_bill_names_all_that_is_installed(inside, bill):
    listed = "from importlib.metadata import distributions as d; import json; print(json.dumps([x.name for x in d()]))"
    held = set(json.loads(inside("python3", "-c", listed)))
    assert held == {one["name"] for one in bill["components"]} | {"trimtab"}


def test_modules_are_read_compiled_though_nothing_can_be_written(inside):
    cached = "import trimtab.api.errors as e, importlib.util as u; print(u.cache_from_source(e.__file__))"
    assert inside("python3", "-c", f"import os; {cached.replace('print', 'assert os.path.exists')}") == ""


def test_the_same_content_twice_is_the_same_image(image, built):
    word, _, first = image
    digests = {re.search(r"sha256:[0-9a-f]{64}", said)[0] for said in (first, built(word, "again"))}
    assert len(digests) == 1
