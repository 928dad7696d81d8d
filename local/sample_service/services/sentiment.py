"""sentiment: scores headlines with a toy lexicon in the place of the language model, and stores the scores."""

import random
import re
import time
from typing import Any, Final

from prometheus_client import Counter, Gauge

from ..app import App
from ..coins import START_PRICES
from ..errors import HttpError
from ..server import Request, Response

_LEXICON: Final = {
    "surges": 1.0, "rallies": 0.8, "gains": 0.6, "adopts": 0.5, "steady": 0.1,
    "slips": -0.4, "falls": -0.6, "fears": -0.7, "crashes": -1.0, "theft": -0.9,
}  # fmt: skip
_HEADLINES: Final = (
    "{coin} surges as a bank adopts it",
    "{coin} rallies after a quiet week",
    "{coin} steady in thin trading",
    "{coin} slips on fears of regulation",
    "{coin} crashes after a theft",
)
_WORD: Final = re.compile(r"[a-z]+")
_MOST_TEXT: Final = 10_000


class ModelError(Exception):
    """The model cannot be loaded."""


def load_model(device: str, model: str, crash: bool) -> None:
    """Stand in for the loading of the language model.

    Raises:
        ModelError: `crash` is set; the message is the typical one of the device.
    """
    if not crash:
        return
    if device.startswith("cuda"):
        raise ModelError("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")
    raise ModelError(f"OSError: Can't load the model {model!r}: download failed")


def score(text: str) -> float:
    """Mean weight of the known words, from -1 to 1; 0 where none is known."""
    weights = [_LEXICON[word] for word in _WORD.findall(text.lower()) if word in _LEXICON]
    return sum(weights) / len(weights) if weights else 0.0


def sentiment(app: App) -> None:
    """Add the service to `app`."""
    service = _Sentiment(app)
    app.router.add("GET", "/sentiment", service.show_all)
    app.router.add("POST", "/sentiment", service.judge)
    app.workers.every(app.config.work_interval, "sentiment update", service.read_news)


class _Sentiment:
    def __init__(self, app: App) -> None:
        self._database = app.database()
        self._random = random.Random()  # noqa: S311 - headlines are no secrets
        self._processed = Counter("sentiment_processed_total", "Texts scored and stored.", registry=app.metrics)
        self._last = Gauge(
            "sentiment_last_update_timestamp_seconds", "Time of the last score as Unix time.", registry=app.metrics
        )

    def read_news(self) -> None:
        coin = self._random.choice(list(START_PRICES))
        self._store(coin, self._random.choice(_HEADLINES).format(coin=coin))

    def judge(self, request: Request) -> Response:
        coin, text = _coin_and_text(request.json())
        return Response({"coin_id": coin, "score": self._store(coin, text)}, 201)

    def show_all(self, _request: Request) -> Response:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT coin_id, avg(score), count(*) "
                "FROM (SELECT coin_id, score FROM sentiment ORDER BY id DESC LIMIT 1000) AS latest "
                "GROUP BY coin_id ORDER BY coin_id"
            ).fetchall()
        return Response([{"coin_id": coin, "score": float(mean), "texts": count} for coin, mean, count in rows])

    def _store(self, coin: str, text: str) -> float:
        value = score(text)
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO sentiment (coin_id, score, text) VALUES (%s, %s, %s)", (coin, value, text))
        self._processed.inc()
        self._last.set(time.time())
        return value


def _coin_and_text(body: Any) -> tuple[str, str]:
    if isinstance(body, dict):
        coin, text = body.get("coin_id"), body.get("text")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if coin in START_PRICES and isinstance(text, str) and 0 < len(text) <= _MOST_TEXT and "\0" not in text:
            return str(coin), text  # pyright: ignore[reportUnknownArgumentType]
    raise HttpError(400, f'give {{"coin_id": one of {", ".join(START_PRICES)}, "text": up to {_MOST_TEXT} characters}}')
