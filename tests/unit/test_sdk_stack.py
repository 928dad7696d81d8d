"""A resource is said to be declared where the program's own files declare it."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.runtime import resource

from components import sdk_stack


class _Resource:
    def __init__(self) -> None:
        self.trace = resource._get_stack_trace()


class _CustomResource(_Resource):
    def __init__(self) -> None:
        super().__init__()


class _Bucket(_CustomResource):
    def __init__(self) -> None:
        super().__init__()


@pytest.fixture(autouse=True)
def _shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "_get_stack_trace", resource._get_stack_trace)


def _places() -> list[tuple[str, int]]:
    bucket = _Bucket()
    return [(frame.pc.uri, frame.pc.line) for frame in bucket.trace.frames]


def test_the_place_of_the_declaration_comes_first_and_only_the_programs_files_follow() -> None:
    before = _places()
    sdk_stack.shorten()
    after = _places()
    here = Path(__file__).resolve().as_uri()
    declaration = _places.__code__.co_firstlineno + 1
    assert before[0] == after[0] == (here, declaration)
    assert [uri for uri, _ in after] == [here, here]
    assert len(before) > len(after), "the test runner's own frames are those of libraries"


def test_what_is_no_resource_has_no_place() -> None:
    sdk_stack.shorten()
    assert list(_Resource().trace.frames) == []
