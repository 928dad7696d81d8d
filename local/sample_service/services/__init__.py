"""The five services by name."""

from collections.abc import Callable, Mapping
from typing import Final

from ..app import App
from .analytics import analytics
from .gateway import gateway
from .market_data import market_data
from .sentiment import sentiment
from .users import users

SERVICES: Final[Mapping[str, Callable[[App], None]]] = {
    "api-gateway": gateway,
    "user-service": users,
    "market-data-service": market_data,
    "analytics": analytics,
    "sentiment": sentiment,
}
"""Each adds its routes, checks and work to an app."""
