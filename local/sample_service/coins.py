"""The coins of the dashboard, and where their prices begin."""

from typing import Final

START_PRICES: Final[dict[str, float]] = {
    "bitcoin": 65_000.0,
    "ethereum": 3_200.0,
    "tether": 1.0,
    "binancecoin": 590.0,
    "solana": 150.0,
    "ripple": 0.52,
    "cardano": 0.45,
    "dogecoin": 0.14,
    "polkadot": 6.8,
    "litecoin": 82.0,
}
"""Coin -> US dollars."""
