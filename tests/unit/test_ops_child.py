"""A child's output comes whole, and in pieces that are worth what is done with each."""

from __future__ import annotations

import sys

import pytest

from scripts.clients.child import Child

_BUFFER = 4096


def _child(program: str) -> Child:
    return Child([sys.executable, "-c", program], {}, (), feeds=False)


@pytest.mark.parametrize("writes", [0, 1, 3, 3000])
def test_what_is_written_in_small_buffers_comes_whole_and_in_few_pieces(writes: int) -> None:
    program = f"import os\nfor number in range({writes}): os.write(1, bytes([number % 251]) * {_BUFFER})"
    with _child(program) as child:
        pieces = list(child.output())
        assert child.wait() == (0, "")
    assert b"".join(pieces) == b"".join(bytes([number % 251]) * _BUFFER for number in range(writes))
    # 12 MB would be 3,000 reads of one buffer each, were each taken as soon as it is there.
    assert len(pieces) <= -(-writes * _BUFFER // 2**19)


def test_the_end_of_what_a_killed_child_wrote_is_no_success() -> None:
    with _child("import os\nos.write(1, b'half')\nos.kill(os.getpid(), 9)") as child:
        assert list(child.output()) == [b"half"]
        assert child.wait() == (-9, "")
