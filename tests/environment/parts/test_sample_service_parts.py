"""The sample service's parts without any server of another kind."""

import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from local.sample_service.config import ConfigError, load_config
from local.sample_service.errors import DependencyError, HttpError
from local.sample_service.faults import Faults
from local.sample_service.health import Health
from local.sample_service.log import Log
from local.sample_service.metrics import resident_bytes
from local.sample_service.server import Request, Response, Router
from local.sample_service.services.sentiment import ModelError, load_model, score
from local.sample_service.tokens import Tokens
from local.sample_service.workers import Stop, Workers, backoff
from tests.waiting import wait_until


def test_the_settings_of_the_environment_are_read() -> None:
    config = load_config(
        {"SERVICE_NAME": "user-service", "PORT": "8001", "DATABASE_POOL_SIZE": "30", "DATABASE_MAX_OVERFLOW": "50"}
    )
    assert (config.port, config.health_path) == (8001, "/health")
    assert (config.database.pool_size, config.database.max_overflow) == (30, 50)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SERVICE_NAME", "billing", "one of api-gateway, user-service"),
        ("PORT", "http", "a number from 0 to 65535"),
        ("PORT", "80.5", "a whole number from 0 to 65535"),
        ("DATABASE_POOL_SIZE", "0", "a number from 1 to 1000"),
        ("DATABASE_POOL_TIMEOUT", "nan", "a number from 0.01 to 300"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"SERVICE_NAME": "sentiment", name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}=")
    assert value in message
    assert allowed in message


@pytest.mark.parametrize(
    "body",
    [[], "errors", {"error": 0.1}, {"errors": 1.1}, {"errors": -0.1}, {"errors": True}, {"lag": 1}, {"pool": 1.5}],
)
def test_wrong_faults_are_refused_and_change_nothing(body: object) -> None:
    faults = Faults()
    with pytest.raises(HttpError) as caught:
        faults.change(body)
    assert caught.value.status == 400
    assert faults.settings == Faults().settings


def test_faults_not_named_stay_as_they_are() -> None:
    faults = Faults()
    faults.change({"errors": 0.05})
    assert faults.change({"lag": True})["errors"] == 0.05
    assert faults.clear()["errors"] == 0


def test_the_share_of_injected_errors_is_the_one_asked_for() -> None:
    faults = Faults(seed=7)
    faults.change({"errors": 0.05})
    statuses = [_struck(faults) for _ in range(4000)]
    assert set(statuses) == {200, 500}
    assert 0.04 < statuses.count(500) / len(statuses) < 0.06


def _struck(faults: Faults) -> int:
    try:
        faults.strike(Stop())
    except HttpError as error:
        return error.status
    return 200


def test_a_burst_is_taken_once() -> None:
    faults = Faults()
    faults.change({"burst": 12000})
    assert (faults.take_burst(), faults.take_burst()) == (12000, 0)


def test_the_memory_fault_keeps_what_it_is_told_and_gives_it_back() -> None:
    faults = Faults()
    before = resident_bytes()
    faults.change({"memory_mb": 64})
    assert faults.kept_bytes == 64 * 2**20
    assert resident_bytes() > before + 60 * 2**20
    faults.change({"errors": 0.5})
    assert faults.kept_bytes == 64 * 2**20
    faults.clear()
    assert faults.kept_bytes == 0
    assert resident_bytes() < before + 30 * 2**20


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("the first secret\n")
    return path


def test_a_signed_token_names_its_subject(secret: Path) -> None:
    tokens = Tokens(secret)
    assert tokens.verify(tokens.sign("42")) == "42"


def test_during_a_rotation_tokens_of_the_old_secret_still_count(secret: Path, tmp_path: Path) -> None:
    tokens = Tokens(secret, tmp_path / "previous")
    token = tokens.sign("42")
    (tmp_path / "previous").write_text(secret.read_text())
    secret.write_text("the second secret")
    assert tokens.verify(token) == "42"
    (tmp_path / "previous").unlink()
    with pytest.raises(HttpError, match="signature"):
        tokens.verify(token)


def test_an_expired_token_is_refused(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(secret)
    token = tokens.sign("42")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    with pytest.raises(HttpError, match="expired"):
        tokens.verify(token)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", f"{_part([])}.{_part({})}.x", f"{_part({'alg': 'none'})}.{_part({'sub': '1'})}."]
)
def test_a_forged_or_broken_token_is_refused(secret: Path, token: str) -> None:
    with pytest.raises(HttpError) as caught:
        Tokens(secret).verify(token)
    assert caught.value.status == 401


def test_a_token_with_a_changed_subject_is_refused(secret: Path) -> None:
    header, _, signature = Tokens(secret).sign("42").split(".")
    with pytest.raises(HttpError, match="signature"):
        Tokens(secret).verify(f"{header}.{_part({'sub': '1', 'exp': 9999999999})}.{signature}")


def test_without_a_secret_nothing_is_signed(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for tokens in (Tokens(None), Tokens(tmp_path / "absent"), Tokens(tmp_path / "empty")):
        with pytest.raises(DependencyError):
            tokens.sign("42")


def test_a_route_is_found_by_its_whole_path_and_method() -> None:
    router = Router()
    router.add("GET", "/users/{id}", lambda _request: Response({}))
    route, params = router.find("GET", "/users/7")
    assert (route.pattern, params) == ("/users/{id}", {"id": "7"})
    for method, path, status in (("GET", "/users/7/x", 404), ("GET", "/users", 404), ("POST", "/users/7", 405)):
        with pytest.raises(HttpError) as caught:
            router.find(method, path)
        assert caught.value.status == status


def test_a_body_that_is_no_json_is_the_callers_fault() -> None:
    with pytest.raises(HttpError) as caught:
        Request("POST", "/", body=b"{").json()
    assert caught.value.status == 400


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [backoff(failures) for failures in range(1, 100)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 15.0


def test_only_a_needed_dependency_makes_a_service_unavailable() -> None:
    workers = Workers(Log("test"))
    health = Health("test", CollectorRegistry())

    def down() -> None:
        raise DependencyError("other", "no route")

    health.watch("database", lambda: None, workers)
    health.watch("other", down, workers, needed=False)
    wait_until(
        lambda: "no route" in str(health.answer()) and health.answer()[1]["status"] == "degraded", "it is degraded"
    )
    assert health.answer()[0] == 200
    health.watch("third", down, workers)
    assert health.answer()[0] == 503
    assert health.answer()[1]["status"] == "unavailable"
    assert workers.end(5)


def test_the_lexicon_tells_good_from_bad_news() -> None:
    assert score("Bitcoin SURGES as a bank adopts it") > 0.5
    assert score("bitcoin crashes after a theft") < -0.5
    assert score("nothing of note") == 0


@given(st.text(max_size=200))
def test_a_score_lies_between_minus_one_and_one(text: str) -> None:
    assert -1 <= score(text) <= 1


def test_a_model_that_cannot_be_loaded_says_so_like_the_real_one() -> None:
    load_model("cuda", "any", crash=False)
    with pytest.raises(ModelError, match="CUDA out of memory"):
        load_model("cuda:0", "any", crash=True)
    with pytest.raises(ModelError, match="'some/model': download failed"):
        load_model("cpu", "some/model", crash=True)
