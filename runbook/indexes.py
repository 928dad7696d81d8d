"""The indexes that the database must have (section 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its columns in order, each with whether it is sorted downwards."""

    name: str
    table: str
    columns: tuple[tuple[str, bool], ...]


PRICES: Final = Index("idx_prices_coin_timestamp", "prices", (("coin_id", False), ("timestamp", True)))

ALL: Final = (PRICES,)
