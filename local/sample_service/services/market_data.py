"""market-data-service: makes prices, stores them, publishes them, keeps the latest in Redis."""

import random
import time

from prometheus_client import Counter, Gauge

from ..app import App
from ..coins import START_PRICES
from ..errors import HttpError
from ..server import Request, Response
from ..topic import PriceProducer, ensure_topic

_FRESH_SECONDS = 60
_OLD_SECONDS = 3600


def market_data(app: App) -> None:
    """Add the service to `app`."""
    service = _MarketData(app)
    app.router.add("GET", "/prices", service.show_all)
    app.router.add("GET", "/prices/{coin}", service.show)
    app.health.watch("kafka", service.check_topic, app.workers)
    app.workers.every(app.config.work_interval, "price update", service.update)


class _MarketData:
    def __init__(self, app: App) -> None:
        self._config = app.config
        self._faults = app.faults
        self._database = app.database()
        self._cache = app.cache()
        self._producer = PriceProducer(app.config)
        self._topic_ready = False
        self._random = random.Random()  # noqa: S311 - prices and headlines are no secrets
        self._prices = dict(START_PRICES)
        self._updated = Counter("prices_updated_total", "Prices stored and published.", registry=app.metrics)
        self._last = Gauge(
            "prices_last_update_timestamp_seconds", "Time of the last update as Unix time.", registry=app.metrics
        )

    def check_topic(self) -> None:
        if not self._topic_ready:
            ensure_topic(self._config)
            self._topic_ready = True
        self._producer.check()

    def update(self) -> None:
        if not self._topic_ready:
            self.check_topic()
        before = self._cache.get_many(f"price:{coin}" for coin in START_PRICES)
        for coin, price in self._prices.items():
            # Replicas walk on from the price that any of them made last.
            latest = float(before.get(f"price:{coin}", price))
            self._prices[coin] = max(latest * (1 + self._random.gauss(0, 0.001)), 1e-6)
        self._store()
        self._producer.send(self._prices)
        self._cache.set_many({f"price:{coin}": f"{price:.8f}" for coin, price in self._prices.items()}, _FRESH_SECONDS)
        self._cache.set_many({f"{key}:old": price for key, price in before.items()}, _OLD_SECONDS)
        self._updated.inc(len(self._prices))
        self._last.set(time.time())
        burst = self._faults.take_burst()
        if burst:
            self._producer.send(self._prices, times=-(-burst // len(self._prices)))

    def show(self, request: Request) -> Response:
        coin = request.params["coin"]
        if coin not in START_PRICES:
            raise HttpError(404, f"unknown coin {coin!r}: one of {', '.join(START_PRICES)}")
        prices = self._latest([coin])
        if coin not in prices:
            raise HttpError(404, f"no price of {coin} yet")
        return Response({"coin_id": coin, "price": prices[coin]})

    def show_all(self, _request: Request) -> Response:
        return Response(self._latest(list(START_PRICES)))

    def _latest(self, coins: list[str]) -> dict[str, float]:
        cached = self._cache.get_many(f"price:{coin}" for coin in coins)
        prices = {key.removeprefix("price:"): float(value) for key, value in cached.items()}
        absent = [coin for coin in coins if coin not in prices]
        if absent:
            with self._database.transaction() as connection:
                rows = connection.execute(
                    "SELECT DISTINCT ON (coin_id) coin_id, price FROM prices WHERE coin_id = ANY(%s) "
                    "ORDER BY coin_id, timestamp DESC",
                    (absent,),
                ).fetchall()
            prices.update((coin, float(price)) for coin, price in rows)
        return prices

    def _store(self) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO prices (coin_id, price) SELECT * FROM unnest(%s::text[], %s::numeric[])",
                (list(self._prices), [round(price, 8) for price in self._prices.values()]),
            )
