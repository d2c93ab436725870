"""The reference page of the command, from the command itself."""

from collections.abc import Iterator
from typing import Any

HEAD = """<!-- Generated from src/trimtab/cli by `make generate`. -->
# Every verb and option

`trimtab --version` prints the version; every verb takes `--help`. What the exit statuses mean:
[exit-status.md](exit-status.md). The verbs of `kubectl trimtab`, for a cluster, come last.
"""


def cli_page() -> str:
    """Markdown: a section a verb, in the order of `trimtab --help` and then of `kubectl trimtab --help`."""
    import typer

    from trimtab.cli import app, kubectl

    programs = {"trimtab": app.build(), "kubectl trimtab": kubectl.build()}
    parts = (sections(name, typer.main.get_command(program)) for name, program in programs.items())
    return "\n".join([HEAD, *(section for part in parts for section in part)])


def sections(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for verb, inner in command.commands.items():
            yield from sections(f"{name} {verb}", inner)
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join(
        [name, *(one.name.upper() if one.required else f"[{one.name.upper()}]" for one in arguments)]
    )
    yield f"## {name}\n\n```\n{usage}{' [OPTIONS]' if options else ''}\n```\n"
    yield f"{text(command.help or '')}\n"
    rows = [f"| `{one.name.upper()}` | {one.help or ''} |" for one in arguments]
    rows += [f"| {spelled(one)} | {one.help or ''}{default(one)} |" for one in options]
    if rows:
        yield "\n".join(["| | |", "|---|---|", *(row.replace("\n", " ") for row in rows)]) + "\n"


def text(help_text: str) -> str:
    """Help as Markdown: what stands under a backspace keeps its lines."""
    parts = []
    for part in help_text.strip().split("\n\n"):
        lines = part.strip().splitlines()
        if lines and lines[0].strip() == "\b":
            parts.append("\n".join(["```", *lines[1:], "```"]))
        else:
            parts.append("\n".join(line.strip() for line in lines))
    return "\n\n".join(parts)


def spelled(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
    if option.is_flag:
        return names
    kind = str(option.display_type(None)).strip("<>").replace("|", " or ")
    return f"{names} {kind}"


def default(option: Any) -> str:
    shown = option.default is not None and not option.is_flag and not callable(option.default)
    value = getattr(option.default, "value", option.default)
    return f" Default: `{value}`." if shown and value not in ("", (), []) else ""
