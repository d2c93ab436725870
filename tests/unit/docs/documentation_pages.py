"""The project's pages as tests read them: their blocks, their links, the commands they name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GENERATED = ROOT / "docs" / "reference"
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(page for page in ROOT.glob("docs/**/*.md") if page.parent != GENERATED),
        *ROOT.glob("components/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)(?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind its fence, and what is in it."""

    info: str
    body: str


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *infos: str) -> list[Block]:
    """The page's fenced blocks, of these infos if any are given."""
    found = [Block(match["info"].strip(), match["body"]) for match in FENCE.finditer(page.read_text())]
    return [block for block in found if not infos or block.info in infos]


def links(page: Path) -> list[str]:
    """Targets inside the repository, as written."""
    return [match["target"] for match in LINK.finditer(FENCE.sub("", page.read_text()))]


def anchors(page: Path) -> set[str]:
    """What a link may name behind #, as code hosts make it of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """The words of each call of a program, in blocks of commands and in the text."""
    text = page.read_text()
    shell = [
        block.body for block in blocks(page) if block.info in ("", "sh", "sh test", "sh clone", "sh cluster")
    ]
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for line in [*"\n".join(shell).replace("\\\n", " ").splitlines(), *spans]:
        for call in re.split(r"&&|\|\||[|;()]", line):
            words = shlex.split(call.strip(), comments=True) if _balanced(call) else call.split()
            if words[:1] == [program]:
                yield words[1:]


def _balanced(text: str) -> bool:
    return text.count("'") % 2 == 0 and text.count('"') % 2 == 0
