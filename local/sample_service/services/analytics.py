"""analytics: consumes price updates as a group and keeps aggregates in Redis."""

import time
from typing import Final

from prometheus_client import Counter, Gauge

from ..app import App
from ..coins import START_PRICES
from ..errors import DependencyError, HttpError, first_line
from ..server import Request, Response
from ..topic import PriceConsumer
from ..workers import backoff

_BATCH: Final = 500
_BATCH_SECONDS: Final = 2.0


def analytics(app: App) -> None:
    """Add the service to `app`."""
    service = _Analytics(app)
    app.router.add("GET", "/analytics", service.show_all)
    app.router.add("GET", "/analytics/{coin}", service.show)
    app.health.watch("kafka", service.consumer.check, app.workers)
    app.workers.thread("consumer", service.consume)


class _Analytics:
    def __init__(self, app: App) -> None:
        self._app = app
        self._cache = app.cache()
        self.consumer = PriceConsumer(app.config)
        self._processed = Counter("analytics_messages_processed_total", "Price updates consumed.", registry=app.metrics)
        self._last = Gauge(
            "analytics_last_update_timestamp_seconds", "Time of the last batch as Unix time.", registry=app.metrics
        )

    def consume(self) -> None:
        failures = 0
        while not self._app.workers.stop.is_set():
            try:
                self._step()
                failures = 0
            except DependencyError as error:
                failures += 1
                if failures == 1:
                    self._app.log.warning("consuming failed, trying again", reason=first_line(error))
                self._app.workers.stop.wait(backoff(failures))
        self.consumer.close()

    def _step(self) -> None:
        self.consumer.pause(self._app.faults.settings.lag)
        batch = self.consumer.read(_BATCH, _BATCH_SECONDS)
        if not batch:
            return
        by_coin: dict[str, list[float]] = {}
        for coin, price in batch:
            by_coin.setdefault(coin, []).append(price)
        try:
            self._cache.add_prices(by_coin)
        except DependencyError:
            self.consumer.rewind()
            raise
        # After the work: a crash in between repeats a batch, it never loses one.
        self.consumer.commit()
        self._processed.inc(len(batch))
        self._last.set(time.time())

    def show(self, request: Request) -> Response:
        coin = request.params["coin"]
        aggregate = self._aggregate(coin)
        if aggregate is None:
            raise HttpError(404, f"nothing known of {coin!r} yet")
        return Response(aggregate)

    def show_all(self, _request: Request) -> Response:
        found = (self._aggregate(coin) for coin in START_PRICES)
        return Response([aggregate for aggregate in found if aggregate is not None])

    def _aggregate(self, coin: str) -> dict[str, object] | None:
        raw = self._cache.aggregate(coin)
        if not raw:
            return None
        count = int(raw["count"])
        return {"coin_id": coin, "updates": count, "mean": float(raw["sum"]) / count, "last": float(raw["last"])}
