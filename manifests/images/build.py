"""Builds the images from their Dockerfiles, with docker, podman or buildah, whichever is here.

    python manifests/images/build.py                          # all three
    python manifests/images/build.py operator serving
    python manifests/images/build.py operator --base localhost/base:1 --tag test

The package index is reached as this machine's pip and uv reach it: their PIP_ and UV_ variables, pip.conf and the
trusted certificates go into the build as secrets, which no layer holds. What an image weighs is told at the end.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final[Mapping[str, tuple[str, str]]] = {
    "trimtab": ("trimtab", "components/Dockerfile"),
    "serving": ("trimtab-serving", "src/trimtab/serving/Dockerfile"),
    "operator": ("trimtab-operator", "operators/drift/Dockerfile"),
}
"""Name and Dockerfile, by the word for it here."""
BUILDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "docker": ("docker", "buildx", "ls"),
    "podman": ("podman", "info"),
    "buildah": ("buildah", "info"),
}
"""By name, what succeeds where it works: a client without its daemon builds nothing."""
CERTIFICATES: Final = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
INSIDE: Final = "/run/secrets/ca"


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is named; 2 where there is no builder, else the builder's own status."""
    parser = argparse.ArgumentParser(prog="manifests/images/build.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("image", nargs="*", help="trimtab, serving or operator; default: all")
    parser.add_argument("--base", help="the base image, with Python 3.11 to 3.13 as python3")
    parser.add_argument("--tag", default=version(), help="default: the version of trimtab")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="make every layer anew; else only what changed, as the builder keeps them",
    )
    parser.add_argument(
        "--extras", help="of trimtab, in place of the Dockerfile's; without torch: leave out ray"
    )
    given = parser.parse_args(argv)
    unknown = sorted(set(given.image) - IMAGES.keys())
    if unknown:
        parser.error(f"there is no image '{unknown[0]}'; there are {', '.join(IMAGES)}")
    builder = next((name for name in BUILDERS if works(name)), None)
    if builder is None:
        sys.stderr.write(
            "no image builder works here\n  remedy: install docker with buildx, podman or buildah\n"
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="trimtab-images-") as scratch:
        secrets = client_configuration(Path(scratch), os.environ)
        for word in given.image or IMAGES:
            name, file = IMAGES[word]
            arguments = {"VERSION": version()} | ({"BASE": given.base} if given.base else {})
            arguments |= {"EXTRAS": given.extras} if given.extras else {}
            began = time.monotonic()
            built = subprocess.run(
                command(builder, file, f"{name}:{given.tag}", arguments, secrets, anew=given.no_cache),
                cwd=ROOT,
                check=False,
            )
            if built.returncode:
                return built.returncode
            took = time.monotonic() - began
            sys.stdout.write(
                f"{name}:{given.tag} with {builder} in {took:.0f} s; {weight(builder, name, given.tag)}\n"
            )
    return 0


def works(builder: str) -> bool:
    if shutil.which(builder) is None:
        return False
    return subprocess.run(BUILDERS[builder], capture_output=True, check=False).returncode == 0


def command(
    builder: str,
    file: str,
    image: str,
    arguments: Mapping[str, str],
    secrets: Mapping[str, Path],
    *,
    anew: bool = False,
) -> list[str]:
    """The builder's command line: no time in the result, secrets beside it.

    Args:
        anew: no layer of an earlier build is taken.
    """
    said = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    said += [word for name, path in secrets.items() for word in ("--secret", f"id={name},src={path}")]
    said += ["--no-cache"] if anew else []
    if builder == "docker":
        out = f"type=docker,name={image},rewrite-timestamp=true"
        return ["docker", "buildx", "build", "-f", file, "--build-arg", "SOURCE_DATE_EPOCH=0", "--provenance=false",
                "--output", out, *said, "."]  # fmt: skip
    alone = ["--isolation", "chroot", "--layers"] if builder == "buildah" else []
    return [builder, "build", *alone, "--timestamp", "0", "-f", file, "-t", image, *said, "."]


def client_configuration(folder: Path, environment: Mapping[str, str]) -> dict[str, Path]:
    """Files that a build reads as secrets: `index`, a shell script of exports, and `ca`, certificates to trust."""
    found = {name: value for name, value in environment.items() if name.startswith(("PIP_", "UV_"))}
    # places of this machine mean nothing inside
    exported = {name: value for name, value in found.items() if not value.startswith(("/", "."))}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(exported.items())]
    secrets = {}
    certificates = next(
        (environment[name] for name in CERTIFICATES if Path(environment.get(name, "")).is_file()), None
    )
    if certificates:
        secrets["ca"] = folder / "ca"
        shutil.copyfile(certificates, secrets["ca"])
        lines += [f"export {name}={INSIDE}" for name in CERTIFICATES]
    for option in ("index-url", "extra-index-url"):
        configured = pip_says(f"global.{option}")
        if configured and f"PIP_{option.upper().replace('-', '_')}" not in exported:
            lines.append(f"export PIP_{option.upper().replace('-', '_')}={shlex.quote(configured)}")
            if option == "index-url" and "UV_DEFAULT_INDEX" not in exported:
                lines.append(f"export UV_DEFAULT_INDEX={shlex.quote(configured)}")
    secrets["index"] = folder / "index"
    secrets["index"].write_text("\n".join(lines) + "\n")
    return secrets


def pip_says(option: str) -> str:
    """An option of pip's configuration; "" where it has none."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", option], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def weight(builder: str, name: str, tag: str) -> str:
    """What an image weighs unpacked and, where the builder is asked easily, as it is pulled; and its digest."""
    if builder != "buildah":
        asked = subprocess.run(
            [builder, "image", "inspect", "--format", "{{.Size}}", f"{name}:{tag}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return f"{int(asked.stdout) / 1e6:.0f} MB unpacked"
    with tempfile.TemporaryDirectory(prefix="trimtab-pushed-") as folder:
        subprocess.run(
            ["buildah", "push", "-q", f"{name}:{tag}", f"oci:{folder}:{tag}"], check=True, capture_output=True
        )
        index = json.loads((Path(folder) / "index.json").read_text())
        digest = index["manifests"][0]["digest"]
        manifest = json.loads((Path(folder) / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())
    pulled = sum(layer["size"] for layer in manifest["layers"])
    asked = subprocess.run(
        ["buildah", "images", "--json", f"{name}:{tag}"], capture_output=True, text=True, check=True
    )
    return f"{pulled / 1e6:.0f} MB as pulled, {json.loads(asked.stdout)[0]['size']} unpacked, {digest}"


def version() -> str:
    """Of trimtab, from its pyproject.toml."""
    import tomllib

    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


if __name__ == "__main__":
    sys.exit(main())
