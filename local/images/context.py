"""Build contexts: exactly the files that count, and a hash over them."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from local.images.catalog import Recipe
from local.images.errors import ImageError

Tools = Mapping[str, Path]
"""Programs of the toolchain by name; each lies in a folder that is named by what it was built from."""

TOOLS_FOLDER: Final = "tools"
"""Where a build finds the programs, in its context."""

_NEVER = frozenset({"__pycache__", ".git", ".venv", ".pytest_cache", ".ruff_cache"})


def files_of(recipe: Recipe) -> list[Path]:
    """The files of the context, sorted, relative to it.

    Raises:
        ImageError: a path that the image is made of does not exist.
    """
    found: set[Path] = set()
    for entry in recipe.reads:
        path = recipe.context / entry
        if not path.exists():
            raise ImageError(f"image {recipe.name}: {path} is missing; restore it from the repository")
        found.update(_walk(path))
    return sorted(path.relative_to(recipe.context) for path in found)


def _walk(path: Path) -> Iterator[Path]:
    if path.name in _NEVER or path.suffix == ".pyc":
        return
    if path.is_dir():
        for child in path.iterdir():
            yield from _walk(child)
    else:
        yield path


def tools_key(recipe: Recipe, tools: Tools) -> str:
    """Changes with the programs that the image takes from the toolchain; it reads none of their bytes.

    Raises:
        ImageError: one of them was not given.
    """
    return " ".join(f"{name}={_tool(recipe, tools, name).resolve().parent.name}" for name in recipe.tools)


def _tool(recipe: Recipe, tools: Tools, name: str) -> Path:
    if name not in tools:
        raise ImageError(
            f"image {recipe.name} is made of the program {name}: build the toolchain's stage platform first"
        )
    return tools[name]


def content_hash(recipe: Recipe, *further: str) -> str:
    """Twelve hex digits over the Dockerfile, the context (names, modes, bytes) and `further` (keys of the rest)."""
    digest = hashlib.sha256()
    digest.update("\0".join(further).encode())
    for path in (recipe.dockerfile, *(recipe.context / file for file in files_of(recipe))):
        executable = path.stat().st_mode & 0o111 != 0
        label = "Dockerfile" if path == recipe.dockerfile else str(path.relative_to(recipe.context))
        body = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\0{label}\0{executable}\0{body}".encode())
    return digest.hexdigest()[:12]


def stage(recipe: Recipe, folder: Path, tools: Tools) -> None:
    """Copy the context's files to `folder`, with equal times and modes, so that a layer depends on contents alone."""
    for name in recipe.tools:
        target = folder / TOOLS_FOLDER / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(_tool(recipe, tools, name), target)
        target.chmod(0o755)
    for file in files_of(recipe):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recipe.context / file, target)
        target.chmod(0o755 if (recipe.context / file).stat().st_mode & 0o111 else 0o644)
