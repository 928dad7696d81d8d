"""What an image's name is made of, and what a build may see."""

import os
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from local.images.base import BASE_NAME
from local.images.catalog import Recipe, allowed_by, recipes
from local.images.context import content_hash, files_of, stage
from local.images.errors import ImageError

_CHECKOUT = Path(__file__).resolve().parents[3]
_ALL = sorted(recipes())


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "bin").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "bin" / "run.sh").write_text("exit 0\n")
    return Recipe("one", tmp_path / "Dockerfile", tmp_path, ("bin",), "servers")


def test_the_same_contents_have_the_same_hash_whenever_they_were_written(recipe: Recipe) -> None:
    before = content_hash(recipe, "base")
    os.utime(recipe.context / "bin" / "run.sh", (1, 1))
    assert content_hash(recipe, "base") == before


def test_bytes_modes_names_dockerfile_and_base_each_change_the_hash(recipe: Recipe) -> None:
    seen = [content_hash(recipe, "base"), content_hash(recipe, "other base")]
    script = recipe.context / "bin" / "run.sh"
    script.write_text("exit 1\n")
    seen.append(content_hash(recipe, "base"))
    script.chmod(0o755)
    seen.append(content_hash(recipe, "base"))
    script.rename(script.with_name("start.sh"))
    seen.append(content_hash(recipe, "base"))
    recipe.dockerfile.write_text("FROM scratch\nUSER 1\n")
    seen.append(content_hash(recipe, "base"))
    assert len(set(seen)) == len(seen) == 6


def test_compiled_python_is_no_part_of_an_image(recipe: Recipe) -> None:
    before = content_hash(recipe)
    cache = recipe.context / "bin" / "__pycache__"
    cache.mkdir()
    (cache / "run.cpython-311.pyc").write_bytes(b"\0")
    assert content_hash(recipe) == before


def test_the_staged_context_holds_only_what_the_recipe_reads(recipe: Recipe, tmp_path: Path) -> None:
    (recipe.context / "secret.txt").write_text("not for images")
    target = tmp_path / "staged"
    stage(recipe, target, {})
    assert [path.relative_to(target) for path in target.rglob("*") if path.is_file()] == [Path("bin/run.sh")]


def test_a_missing_file_is_named(recipe: Recipe) -> None:
    broken = Recipe("one", recipe.dockerfile, recipe.context, ("gone",), "servers")
    with pytest.raises(ImageError, match=r"image one: .*/gone is missing"):
        files_of(broken)


def test_the_ops_image_reads_what_its_ignore_file_lets_through() -> None:
    allowed = allowed_by(_CHECKOUT / "images" / "ops" / "Dockerfile.dockerignore")
    assert recipes()["ops"].reads == allowed
    assert {"pyproject.toml", "uv.lock", "runbook", "scripts"} <= set(allowed)
    assert not {"components", "policies", "local", "tests"} & set(allowed)


@pytest.mark.parametrize("name", _ALL)
def test_every_image_stands_on_the_base_that_is_built_here(name: str) -> None:
    text = recipes()[name].dockerfile.read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    # A build here gives its own base in the place of the one that a release pulls by digest.
    default = re.findall(r"^ARG BASE=([^\s@]+)", text, re.MULTILINE)
    assert bases
    assert {BASE_NAME} == {base for base in bases if base not in stages and base != "${BASE}"} | set(default)


@pytest.mark.parametrize("name", _ALL)
def test_every_image_runs_as_a_numbered_user_that_is_not_root(name: str) -> None:
    users = re.findall(r"^USER (\S+)", recipes()[name].dockerfile.read_text(), re.MULTILINE)
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])


@pytest.mark.parametrize("name", _ALL)
def test_images_built_at_the_same_time_share_no_package_cache(name: str) -> None:
    def ids(recipe: Recipe) -> set[str]:
        return set(re.findall(r"type=cache,id=([\w-]+)", recipe.dockerfile.read_text()))

    mine = recipes()[name]
    others = [other for other in recipes().values() if other.lane != mine.lane]
    # What installs no package has programs of the toolchain instead.
    assert ids(mine) or mine.tools
    assert others
    assert not any(ids(mine) & ids(other) for other in others)


@pytest.mark.parametrize(
    ("image", "package"), [("sample-service", "sample_service"), ("kafka-exporter", "kafka_exporter")]
)
def test_an_image_has_the_libraries_that_its_program_imports_in_the_versions_of_the_lock_file(
    image: str, package: str
) -> None:
    groups = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    files = (_CHECKOUT / "local" / package).rglob("*.py")
    imported = {
        name for file in files for name in re.findall(r"^(?:from|import) (\w+)", file.read_text(), re.MULTILINE)
    }
    foreign = imported - sys.stdlib_module_names - {package, "local"}
    needed = {packages_distributions()[name][0].replace("_", "-") for name in foreign}
    assert {name.partition("[")[0] for name in groups[image]} == needed
    assert f"uv sync --quiet --frozen --only-group {image}\n" in recipes()[image].dockerfile.read_text()


@pytest.mark.parametrize("name", _ALL)
def test_no_image_names_the_version_of_a_python_package(name: str) -> None:
    text = recipes()[name].dockerfile.read_text()
    assert not re.search(r"pip install|==\d|UV_VERSION", text)
