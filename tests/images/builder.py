"""buildah, asked."""

import subprocess


def buildah(*arguments: str) -> str:
    """What it answers on standard output."""
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"buildah {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
