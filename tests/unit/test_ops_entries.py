"""Entries of an archive's list: no name in it has a superuser restore what may run code of an owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.backup.entries import Entry, listed

# Words of the list itself, and anything else that stands on one line.
_WORDS = st.sampled_from(
    ("TABLE", "ACL", "COMMENT", "DATA", "-", "SCHEMA", "2605", "0", ";", "app", "postgres", "DOMAIN")
)
_NAMES = st.lists(_WORDS | st.text(st.characters(exclude_characters="\r\n\x00", codec="utf-8"), min_size=1), min_size=1)
_ORDINARY = (
    "1259 7 TABLE",
    "1259 7 VIEW",
    "1259 7 INDEX",
    "1247 7 DOMAIN",
    "1255 7 FUNCTION",
    "1255 7 AGGREGATE",
    "2604 7 DEFAULT",
    "2606 7 FK CONSTRAINT",
    "2618 7 RULE",
    "2620 7 TRIGGER",
    "3256 7 POLICY",
    "3381 7 STATISTICS",
    "0 7 TABLE DATA",
    "0 0 TABLE ATTACH",
    "0 7 MATERIALIZED VIEW DATA",
)


def _entry(text: str) -> Entry:
    entry = Entry.parse(f"17; {text}")
    assert entry is not None
    return entry


@given(st.sampled_from(_ORDINARY), _NAMES, _NAMES, _NAMES.map(" ".join))
def test_no_name_has_a_superuser_restore_what_may_run_code(
    kind: str, schema: list[str], name: list[str], owner: str
) -> None:
    entry = _entry(f"{kind} {' '.join(schema)} {' '.join(name)} {owner}")
    found = entry.owner(listed({"postgres", "app", owner}))

    assert found in (owner, None)
    assert owner == "postgres" or not entry.needs_superuser(found, {"postgres"} - {owner})


@pytest.mark.parametrize(
    "text",
    [
        "2615 7 SCHEMA - app app",
        "1247 7 TYPE public mood app",
        "1247 7 SHELL TYPE public half app",
        "1255 7 FUNCTION public f(integer) postgres",
        "2605 7 CAST - CAST (public.mood AS integer) ",
        "2617 7 OPERATOR public === app",
        "0 0 ACL public TABLE people app",
        "0 0 COMMENT public COLUMN people.name app",
        "0 0 SECURITY LABEL public TABLE people app",
        "0 0 USER MAPPING - USER MAPPING app SERVER away app",
        "826 7 DEFAULT ACL - DEFAULT PRIVILEGES FOR TABLES app",
        "3466 7 EVENT TRIGGER - watching postgres",
        "6104 7 PUBLICATION - all_of_it app",
    ],
)
def test_a_superuser_restores_what_needs_one_and_runs_nothing(text: str) -> None:
    entry = _entry(text)

    assert entry.needs_superuser(entry.owner(listed(["app", "postgres"])), {"postgres"})


def test_an_owner_that_the_end_of_a_line_does_not_tell_is_none() -> None:
    roles = listed(["app", "my app", "two\nlines", "two lines", "new\nline"])

    assert _entry("1259 7 TABLE public t my app").owner(roles) is None
    assert _entry("1259 7 TABLE public t two lines").owner(roles) is None
    assert _entry("1259 7 TABLE public t new line").owner(roles) == "new\nline"
    assert _entry("1259 7 TABLE public my t app").owner(roles) == "app"
    assert _entry("2605 7 CAST - CAST (public.mood AS integer) ").owner(roles) is None
