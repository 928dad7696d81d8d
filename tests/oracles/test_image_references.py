"""A reference of an image is taken where the kubelet takes it: each is asked of distribution/reference, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from local.pulumi_cli import PROJECT_ROOT
from runbook.formats import Image
from tests.oracles.original import Original, started

_IMAGE: TypeAdapter[str] = TypeAdapter(Image)
_MODULES = ("local/toolchain/modules/kubernetes/go.mod", "tests/oracles/reference/go.mod")
_HEX = "0123456789abcdef"
_SHA256 = "@sha256:" + _HEX * 4
_HARD = (
    "nginx",
    "nginx:1.27",
    f"nginx{_SHA256}",
    f"nginx:1.27{_SHA256}",
    "localhost/nginx",
    "localhost:5000/nginx:1",
    "registry.example.com/team/name:1.2",
    "REGISTRY.example.com/name",
    "TEAM/name",
    "team/NAME",
    "Name",
    "a--b/c__d/e.f/g_h:_tag",
    "a___b",
    "a..b",
    "a.-b",
    "-a",
    "a-",
    "_a",
    "a/",
    "/a",
    "a//b",
    "docker.io/nginx",
    "docker.io/",
    "index.docker.io/library/nginx",
    "http://example.com/nginx",
    "example.com:/nginx",
    "example.com:80",
    "example.com:80/nginx",
    "example.com:port/nginx",
    "-example.com/nginx",
    "example-.com/nginx",
    "example..com/nginx",
    "example.com./nginx",
    "ex_ample.com/nginx",
    "[::1]:5000/nginx",
    "[fd00::1]/nginx",
    "[::g]/nginx",
    "::1/nginx",
    "10.0.0.1:5000/nginx",
    "name:",
    "name:.tag",
    "name:-tag",
    "name:t:u",
    f"name:{'t' * 128}",
    f"name:{'t' * 129}",
    "name@",
    "name@sha256:",
    "name@sha256:abc",
    f"name@sha256:{'A' * 64}",
    f"name@sha256:{'a' * 65}",
    f"name@md5:{'a' * 32}",
    f"name{_SHA256}{_SHA256}",
    f"name{_SHA256}:1",
    _HEX * 4,
    f"{_HEX * 4}:1",
    f"team/{_HEX * 4}",
    f"docker.io/{_HEX * 4}",
    f"localhost/{_HEX * 4}",
    _HEX * 4 + "0",
    "a" * 247,
    "a" * 248,
    "a" * 255,
    "a" * 256,
    f"team/{'a' * 250}",
    f"team/{'a' * 251}",
    f"example.com/{'a' * 255}",
    f"example.com/{'a' * 256}",
    "",
    " ",
    " nginx",
    "nginx ",
    "nginx\n",
    "nginx\nalpine",
    "näme",
    "name:\u0663",
    "\u0130.com/name",
    "nginx\x00",
)
# What the kubelet takes and a stack does not: policies ask for SHA-256, the one that every registry has.
_UNWANTED = re.compile(r"@(?!sha256:)")
_WORD = st.text("ab09", min_size=1, max_size=3)
_PATH = st.lists(
    st.tuples(_WORD, st.sampled_from(("", ".", "_", "__", "-", "--", "..", "___", "B")), _WORD).map("".join) | _WORD,
    min_size=1,
    max_size=3,
).map("/".join)
_HOST = st.sampled_from(
    ("", "", "localhost/", "a.example/", "A.b:80/", "[::1]:5/", "[fd00::A]/", "[::g]/", "x:0/", "A/", "-a.b/")
)
_TAG = st.sampled_from(("", "", ":1", ":v1.2-3_x", ":.a", ":", ":a:b", ":A"))
_DIGEST = st.sampled_from(("", "", _SHA256, "@sha256:00", f"@sha512:{_HEX * 8}", f"@sha384:{_HEX * 6}", "@"))
_REFERENCES = st.tuples(_HOST, _PATH, _TAG, _DIGEST).map("".join) | st.text("aB0.:/@_-[]", max_size=12)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    """The helper that asks distribution/reference."""
    with started("reference", tmp_path_factory.mktemp("oracle")) as asked:
        yield asked


def _taken(reference: str) -> bool:
    try:
        _IMAGE.validate_python(reference)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("reference", _HARD)
def test_a_hard_reference_is_taken_where_the_kubelet_takes_it(original: Original, reference: str) -> None:
    assert _taken(reference) == (original.answer(reference) and not _UNWANTED.search(reference))


@settings(max_examples=5 * settings().max_examples)
@given(_REFERENCES)
@example("a/b")
def test_a_reference_is_taken_where_the_kubelet_takes_it(original: Original, reference: str) -> None:
    assert _taken(reference) == (original.answer(reference) and not _UNWANTED.search(reference))


def test_the_original_is_the_release_that_the_kubelet_has() -> None:
    wanted, asked = (
        re.search(r"github.com/distribution/reference (v\S+)", (PROJECT_ROOT / Path(module)).read_text())
        for module in _MODULES
    )
    assert wanted
    assert asked
    assert wanted[1] == asked[1]
