"""The pages as a site: built whole and strictly, at home without a network, every link in it leads somewhere."""

import doctest
import importlib.util
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from documentation_pages import ROOT

pytestmark = pytest.mark.xdist_group("website")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("website") / "site"
    command = [sys.executable, str(ROOT / "docs" / "website.py"), str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return folder


@pytest.fixture
def website() -> ModuleType:
    spec = importlib.util.spec_from_file_location("website_under_test", ROOT / "docs" / "website.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page(HTMLParser):
    """What a page links to, loads, and can be linked to by; and its text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attributes if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag in ("script", "img", "iframe") and "src" in found:
            self.loads.add(found["src"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon"):
            self.loads.add(found["href"])
        elif tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in ("code", "pre", "script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_of_the_repository_is_a_page_of_the_site(site: Path):
    documents = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in ROOT.glob("docs/**/*.md")}
    components = {
        Path("components") / f"{page.parent.name}.html" for page in ROOT.glob("components/*/README.md")
    }
    wanted = (
        (documents - {Path("README.html")}) | components | {Path("index.html"), Path("reference/chart.html")}
    )
    assert {path for path in wanted if not (site / path).exists()} == set()


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]):
    for path, page in pages.items():
        for target in page.loads:
            assert not urlsplit(target).scheme, f"{path.name} loads {target}"
            assert (path.parent / urlsplit(target).path).exists(), f"{path.name} loads {target}"


def test_every_link_leads_to_a_page_and_a_heading(site: Path, pages: dict[Path, Page]):
    anchors = {path.resolve(): page.anchors for path, page in pages.items()}
    for path, page in pages.items():
        for target in page.links:
            parts = urlsplit(target)
            if parts.scheme:
                continue
            leads = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            leads = leads / "index.html" if leads.is_dir() else leads
            assert leads.exists(), f"{path.relative_to(site)} links to {target}"
            if parts.fragment and leads.suffix == ".html":
                assert unquote(parts.fragment) in anchors[leads], (
                    f"{path.relative_to(site)} links to {target}"
                )


def test_no_markdown_is_left_standing(site: Path, pages: dict[Path, Page]):
    for path, page in pages.items():
        assert "```" not in page.text, path.relative_to(site)
        assert "](" not in page.text, path.relative_to(site)
        assert ".md" not in {link.rpartition("#")[0][-3:] for link in page.links}


def test_the_search_knows_what_pages_say(site: Path):
    found = json.loads((site / "search.json").read_text())["items"]
    places = {item["location"].partition("#")[0] for item in found if "undo" in item["text"]}
    assert "tutorial-rollout-gone-wrong.html" in places


def little(website: ModuleType, folder: Path, text: str, *more: str) -> int:
    """The exit status for a repository of one page; `more` are pages that the menu does not name."""
    (folder / "docs").mkdir()
    (folder / "docs" / "README.md").write_text(text)
    for page in more:
        (folder / "docs" / page).write_text("# More\n")
    settings = folder / "docs" / "website.yml"
    settings.write_text(yaml.safe_dump({"site_name": "little", "nav": [{"Home": "index.md"}]}))
    website.ROOT, website.SETTINGS, website.ELSEWHERE = folder, settings, {}
    return int(website.build(folder / "site"))


def test_a_link_that_leads_nowhere_fails_and_writes_nothing(website: ModuleType, tmp_path: Path):
    assert little(website, tmp_path, "# Home\n\n[gone](#nowhere)\n") != 0
    assert not (tmp_path / "site").exists()


def test_a_page_that_is_on_no_menu_fails(
    website: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert little(website, tmp_path, "# Home\n", "lost.md") == 1
    assert "lost.md" in capsys.readouterr().err


def test_what_its_docstrings_show_is_so(website: ModuleType):
    assert doctest.testmod(website).failed == 0
