"""What every Dockerfile promises, read from its text; `make test-images` builds them."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = {
    "trimtab": ROOT / "components/Dockerfile",
    "trimtab-serving": ROOT / "src/trimtab/serving/Dockerfile",
    "trimtab-operator": ROOT / "operators/drift/Dockerfile",
}


@pytest.fixture(params=FILES)
def image(request):
    return request.param, FILES[request.param].read_text()


def test_the_base_is_an_argument_with_a_pinned_version(image):
    _, text = image
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-bookworm", base)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]


def test_it_runs_as_nobody_by_number_and_writes_only_into_tmp(image):
    _, text = image
    last = text.rpartition("FROM ")[2]
    assert "\nUSER 65532:65532\n" in last
    assert "HOME=/tmp" in last
    assert "\nWORKDIR /tmp\n" in last
    assert "\nRUN " not in last


def test_it_says_what_it_is(image):
    name, text = image
    assert f'org.opencontainers.image.title="{name}"' in text
    for key in ("description", "version", "licenses"):
        assert f"org.opencontainers.image.{key}=" in text
    assert 'dev.trimtab.sbom="/opt/trimtab/sbom.cdx.json"' in text


def test_nothing_is_fetched_but_by_the_install_script(image):
    _, text = image
    assert "ADD " not in text
    assert "://" not in text
    packages, trimtab = re.findall(r"^RUN (.*)$", text, re.MULTILINE)
    assert re.search(
        r' sh manifests/images/install\.sh packages "\$\{EXTRAS\}"( "\$\{LEFT_OUT\}")?$', packages
    )
    assert packages.partition(" sh ")[0] + " sh manifests/images/install.sh trimtab" == trimtab
    assert text.index("RUN ") < text.index("COPY src "), (
        "what seldom changes is a layer before what often does"
    )


def test_extras_are_those_of_the_project_and_heavy_ones_stand_in_one_image(image):
    import tomllib

    name, text = image
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", text, re.MULTILINE)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= known.keys()
    assert ("ray" in extras.split(",")) == (name == "trimtab")


def test_the_ignore_file_lets_in_what_is_copied(image):
    _, text = image
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words.split() for words in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)]
    for source in (source for words in copied for source in words[:-1]):
        assert any(f"{one}/".startswith(f"{source}/") or source.startswith(f"{one}/") for one in let_in), (
            source
        )


@pytest.fixture
def images(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "manifests" / "images"))
    for name in ("build", "sbom", "debian"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import importlib

    return importlib.import_module


def test_the_index_configuration_goes_in_as_a_secret_and_no_path_of_this_machine(images, tmp_path):
    (tmp_path / "ca.pem").write_text("certificates")
    told = {
        "PIP_INDEX_URL": "https://me:it's@index.example.com/simple",
        "PIP_FIND_LINKS": "/opt/wheels",
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "HOME": "/home/me",
    }
    secrets = images("build").client_configuration(tmp_path, told)
    script = secrets["index"].read_text()
    assert """export PIP_INDEX_URL='https://me:it'"'"'s@index.example.com/simple'""" in script
    assert "export SSL_CERT_FILE=/run/secrets/ca" in script
    assert "wheels" not in script
    assert secrets["ca"].read_text() == "certificates"


@pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
def test_every_builder_is_told_to_leave_time_out(images, builder):
    said = " ".join(
        images("build").command(builder, "a/Dockerfile", "a:1", {"BASE": "b"}, {"ca": Path("ca")})
    )
    assert "--timestamp 0" in said or "rewrite-timestamp=true" in said
    assert "--build-arg BASE=b" in said
    assert "--secret id=ca,src=ca" in said


def test_the_bill_of_materials_names_what_is_installed_and_the_same_twice(images):
    sbom = images("sbom")
    held = sbom.installed()
    bill = sbom.bill(held, [])
    assert bill == sbom.bill(held, [])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "trimtab"
    named = {one["purl"] for one in bill["components"]}
    assert any(one.startswith("pkg:pypi/numpy@") for one in named)
    used = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert any(
        one.startswith("pkg:pypi/numpy@") for one in used[next(one for one in used if "/trimtab@" in one)]
    )


def test_of_a_package_that_is_twice_on_the_path_the_bill_names_the_one_that_is_imported(
    images, tmp_path, monkeypatch
):
    """As `import ray` does, which puts its own copies of some packages before the installed ones."""
    told = tmp_path / "NumPy-0.0.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: NumPy\nVersion: 0.0.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [one.version for one in images("sbom").installed() if one.key == "numpy"] == ["0.0.1"]


STATUS = """Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 12.2.0-14+deb12u1
Description: the GNU library
 and more of it

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: adduser
Status: install ok installed
Architecture: all
Version: 1:3.134~1
"""


def test_the_bill_holds_the_base_s_packages_and_is_valid_cyclonedx(images, tmp_path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL

    status, release = tmp_path / "status", tmp_path / "os-release"
    status.write_text(STATUS)
    release.write_text('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n')
    base = images("debian").debian(status, release)
    assert [one["name"] for one in base] == ["debian", "adduser", "libstdc++6"]
    assert base[2]["properties"] == [{"name": "debian:source", "value": "gcc-12"}]
    url = PackageURL.from_string(base[2]["purl"])
    assert (url.type, url.namespace, url.name, url.version) == (
        "deb",
        "debian",
        "libstdc++6",
        "12.2.0-14+deb12u1",
    )
    assert url.qualifiers == {"arch": "amd64", "distro": "debian-12"}
    assert url.to_string() == base[2]["purl"]

    sbom = images("sbom")
    bill = sbom.bill(sbom.installed(), base)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    references = [one["bom-ref"] for one in bill["components"]]
    assert len({*references}) == len(references)
    assert "cpython" in {one["name"] for one in bill["components"]}


def test_a_base_without_dpkg_has_no_packages_of_debian(images, tmp_path):
    assert images("debian").debian(tmp_path / "none", tmp_path / "none") == []


def test_what_is_installed_and_not_locked_is_refused(images, tmp_path, capsys):
    (tmp_path / "requirements.lock").write_text("numpy==0.0.1 \\\n    --hash=sha256:00\n")
    assert images("sbom").main(tmp_path / "requirements.lock") == 1
    assert "numpy==" in capsys.readouterr().err
