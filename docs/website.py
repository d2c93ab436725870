"""The pages as a site: gathers them from where they stand, and has zensical build it. `make docs`.

    python docs/website.py [FOLDER]            default: site

In the repository a link leads to a file; on the site, to that file's page. A file that has none is named instead. A
fence says what runs its commands (` ```sh test`), which is for the tests alone. Exit status 1: a link leads nowhere, or
a page is on no menu.
"""

import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
SETTINGS: Final = ROOT / "docs" / "website.yml"
ELSEWHERE: Final = {
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "measured.md",
    "examples/flights/README.md": "example-flights.md",
    "helm/trimtab/README.md": "reference/chart.md",
    "manifests/images/README.md": "images.md",
    **{
        page.relative_to(ROOT).as_posix(): f"components/{page.parent.name}.md"
        for page in sorted(ROOT.glob("components/*/README.md"))
    },
}
"""Files outside docs/, by where they stand in the repository; and where on the site."""

SHIM: Final = re.compile(r'(?<=src=")https://[^"]*iframe-worker/shim')

_FENCED: Final = re.compile(r"^(```|~~~).*?^\1[^\S\n]*$", re.MULTILINE | re.DOTALL)
_INFO: Final = re.compile(r"\A(```[\w.-]+)[^\n]*")
_LINK: Final = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def gather(folder: Path) -> None:
    """Write every page and picture of the site."""
    pages = {f"docs/{page.relative_to(ROOT / 'docs')}" for page in ROOT.glob("docs/**/*.md")}
    for source in sorted(pages) + list(ELSEWHERE):
        place = _site_place(source)
        assert place is not None
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(for_site((ROOT / source).read_text(), source))
    for asset in (
        *ROOT.glob("docs/pictures/*"),
        *ROOT.glob("docs/reference/*.json"),
        *ROOT.glob("docs/*.css"),
        *ROOT.glob("docs/*.js"),
    ):
        target = folder / asset.relative_to(ROOT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(asset, target)


def for_site(markdown: str, source: str) -> str:
    """A page's text with links and fences as the site wants them: a link that shows a file's name shows its title.

    Args:
        source: where the page stands in the repository.

    >>> for_site("[IR](../../pipelines/training.py), [x](../ingest/README.md#a)", "components/train/README.md")
    'IR (`pipelines/training.py`), [x](ingest.md#a)'
    >>> for_site("[drift.md](drift.md)", "docs/README.md")
    '[Have two tables drifted apart?](drift.md)'
    """
    parts: list[str] = []
    at = 0
    for fence in _FENCED.finditer(markdown):
        parts += [_linked(markdown[at : fence.start()], source), _INFO.sub(r"\1", fence[0])]
        at = fence.end()
    return "".join([*parts, _linked(markdown[at:], source)])


def _linked(text: str, source: str) -> str:
    def link(found: re.Match[str]) -> str:
        leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        place, here = _site_place(leads_to), _site_place(source)
        if place is None or here is None:
            return f"{found['text']} (`{leads_to}`)"
        way = posixpath.relpath(place, posixpath.dirname(here) or ".")
        shown = _title(leads_to) if found["text"].endswith(".md") else found["text"]
        return f"[{shown}]({way}{found['anchor'] or ''})"

    return _LINK.sub(link, text)


def _title(source: str) -> str:
    return (ROOT / source).read_text().partition("# ")[2].partition("\n")[0]


def _site_place(source: str) -> str | None:
    """Where on the site a file of the repository stands; None if it does not."""
    if source == "docs/README.md":
        return "index.md"
    return source.removeprefix("docs/") if source.startswith("docs/") else ELSEWHERE.get(source)


def on_the_menu(entry: Any) -> set[str]:
    """The pages that a part of `nav` names."""
    if isinstance(entry, str):
        return {entry}
    parts = entry.values() if isinstance(entry, dict) else entry
    return {page for part in parts for page in on_the_menu(part)}


def build(site: Path) -> int:
    """Make the site; the exit status of the generator, 1 where a page is on no menu."""
    settings = yaml.safe_load(SETTINGS.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "docs"
        gather(folder)
        pages = {page.relative_to(folder).as_posix() for page in folder.rglob("*.md")}
        if lost := pages ^ on_the_menu(settings["nav"]):
            sys.stderr.write(f"nav of docs/website.yml and the pages differ: {', '.join(sorted(lost))}\n")
            return 1
        whole = {**settings, "docs_dir": "docs", "site_dir": "site"}
        (Path(scratch) / "mkdocs.yml").write_text(yaml.safe_dump(whole, sort_keys=False))
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]
        status = subprocess.run(command, cwd=scratch, check=False).returncode
        if status == 0:
            take_in(Path(scratch) / "site")
            shutil.rmtree(site, ignore_errors=True)
            shutil.copytree(Path(scratch) / "site", site)
        return status


def take_in(site: Path) -> None:
    """Have pages load nothing from elsewhere: what the search wants of a pages' host, it gets from docs/worker.js."""
    for page in site.rglob("*.html"):
        above = posixpath.relpath(".", page.parent.relative_to(site).as_posix())
        page.write_text(SHIM.sub(f"{above}/worker.js", page.read_text()))


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "site"))
