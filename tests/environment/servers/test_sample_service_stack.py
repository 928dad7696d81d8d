"""The five sample services on real PostgreSQL, Redis and Kafka. The tests of this file share one running stack."""

import signal
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.environment.servers.sample_stack import SampleStack
from tests.running.owned import owned_folder
from tests.waiting import wait_until

_SERVICES = ("api-gateway", "user-service", "market-data-service", "analytics", "sentiment")


@pytest.fixture(scope="module")
def stack() -> Iterator[SampleStack]:
    with owned_folder() as folder:
        folder.chmod(0o755)
        running = SampleStack(folder)
        missing = running.missing()
        if missing:
            pytest.skip(f"{missing} is not installed")
        try:
            for name in _SERVICES:
                running.start_service(name)
            wait_until(lambda: [running.health(name) for name in _SERVICES] == [503] * 5, "503 without dependencies")
            running.start_kafka()
            running.start_redis()
            running.start_postgres()
            yield running
        finally:
            running.close()


def _lag(stack: SampleStack) -> int:
    consumer = Consumer(
        {"bootstrap.servers": f"127.0.0.1:{stack.ports['kafka']}", "group.id": "analytics-service", "log_level": 0}
    )
    try:
        assert len(consumer.list_topics("price_updates", timeout=10).topics["price_updates"].partitions) == 24
        partitions = [TopicPartition("price_updates", number) for number in range(24)]
        committed = consumer.committed(partitions, timeout=10)
        ends = [consumer.get_watermark_offsets(part, timeout=10)[1] for part in partitions]
        return sum(end - max(part.offset, 0) for part, end in zip(committed, ends, strict=True))
    finally:
        consumer.close()


def test_services_started_before_their_dependencies_become_healthy_by_themselves(stack: SampleStack) -> None:
    wait_until(lambda: [stack.health(name) for name in _SERVICES] == [200] * 5, "all healthy", 90)


def test_prices_reach_the_table_the_topic_the_cache_and_the_aggregates(stack: SampleStack) -> None:
    wait_until(lambda: stack.metric("analytics", "analytics_messages_processed_total") >= 10, "analytics consumed")
    assert int(stack.sql("SELECT count(DISTINCT coin_id) FROM prices")) == 10
    status, dashboard = stack.ask("api-gateway", "/api/dashboard")
    assert status == 200
    assert len(dashboard["prices"]) == 10
    assert {entry["coin_id"] for entry in dashboard["analytics"]} == set(dashboard["prices"])
    assert dashboard["absent"] == []
    assert stack.metric("market-data-service", "prices_last_update_timestamp_seconds") > 1_700_000_000


def test_sentiment_is_scored_and_stored(stack: SampleStack) -> None:
    status, answer = stack.ask("sentiment", "/sentiment", {"coin_id": "bitcoin", "text": "bitcoin crashes"})
    assert (status, answer["score"]) == (201, -1.0)
    assert int(stack.sql("SELECT count(*) FROM sentiment WHERE text = 'bitcoin crashes'")) == 1


def test_a_user_registers_logs_in_and_is_known_by_the_token(stack: SampleStack) -> None:
    email = "one@example.com"
    assert stack.ask("api-gateway", "/api/users", {"email": email})[0] == 201
    assert stack.ask("api-gateway", "/api/users", {"email": email})[0] == 409
    token = stack.ask("api-gateway", "/api/login", {"email": email})[1]["token"]
    assert stack.ask("api-gateway", "/api/me", token=token)[1]["email"] == email
    assert stack.ask("api-gateway", "/api/me", token=token + "x")[0] == 401


def test_injected_errors_hit_requests_and_spare_the_probe(stack: SampleStack) -> None:
    failed = {"method": "GET", "status": "500", "handler": "/api/dashboard"}
    before = stack.metric("api-gateway", "http_requests_total", **failed)
    assert stack.ask("api-gateway", "/faults", {"errors": 1.0})[0] == 200
    assert [stack.ask("api-gateway", "/api/dashboard")[0] for _ in range(3)] == [500] * 3
    assert stack.health("api-gateway") == 200
    assert stack.ask("api-gateway", "/faults", method="DELETE")[0] == 200
    assert stack.ask("api-gateway", "/api/dashboard")[0] == 200
    assert stack.metric("api-gateway", "http_requests_total", **failed) == before + 3


def test_injected_latency_lands_above_the_objective(stack: SampleStack) -> None:
    def seen() -> tuple[float, float]:
        """Requests that were fast enough, and all."""
        name, prices = "http_request_duration_seconds", {"method": "GET", "handler": "/prices"}
        fast = stack.metric("market-data-service", f"{name}_bucket", **prices, le="0.2")
        return fast, stack.metric("market-data-service", f"{name}_count", **prices)

    stack.ask("market-data-service", "/faults", {"latency_ms": 300})
    before = seen()
    stack.ask("market-data-service", "/prices")
    stack.ask("market-data-service", "/faults", method="DELETE")
    after = seen()
    assert (after[0] - before[0], after[1] - before[1]) == (0, 1)


def test_a_used_up_pool_is_answered_with_503_and_counted(stack: SampleStack) -> None:
    stack.ask("user-service", "/faults", {"pool": 3})
    assert stack.ask("user-service", "/users/1")[0] == 503
    assert stack.metric("user-service", "db_pool_timeouts_total") >= 1
    assert stack.metric("user-service", "db_pool_used_connections") == 3
    stack.ask("user-service", "/faults", method="DELETE")
    wait_until(lambda: stack.ask("user-service", "/users/1")[0] == 200, "the pool is free again")


def test_a_lagging_consumer_falls_behind_and_catches_up_without_a_loss(stack: SampleStack) -> None:
    stack.ask("analytics", "/faults", {"lag": True})
    stack.ask("market-data-service", "/faults", {"burst": 12_000})
    wait_until(lambda: _lag(stack) > 10_000, "lag above 10,000")
    assert stack.health("analytics") == 200
    stack.ask("analytics", "/faults", method="DELETE")
    wait_until(lambda: _lag(stack) < 100, "lag gone")


def test_a_lost_redis_makes_its_users_unavailable_until_it_is_back(stack: SampleStack) -> None:
    stack.stop("redis", signal.SIGKILL)
    wait_until(lambda: (stack.health("analytics"), stack.health("user-service")) == (503, 200), "503 without Redis")
    stack.start_redis()
    wait_until(lambda: stack.health("analytics") == 200, "healthy with Redis")
    before = stack.metric("analytics", "analytics_messages_processed_total")
    wait_until(lambda: stack.metric("analytics", "analytics_messages_processed_total") > before, "consumes again")


def test_a_consumer_that_was_started_before_its_topic_reads_the_topic_once_it_exists(stack: SampleStack) -> None:
    stack.stop("analytics")
    stack.start_service("analytics", KAFKA_TOPIC="late")
    wait_until(lambda: "late does not exist yet" in str(stack.ask("analytics", "/health")[1]), "analytics has looked")

    producer = Producer({"bootstrap.servers": f"127.0.0.1:{stack.ports['kafka']}"})
    producer.produce("late", key="bitcoin", value='{"coin_id": "bitcoin", "price": 1}')
    assert producer.flush(60) == 0

    wait_until(lambda: stack.metric("analytics", "analytics_messages_processed_total") == 1, "analytics has read it")
    assert "Subscribed topic not available" not in stack.log("analytics")
    stack.stop("analytics")
    stack.start_service("analytics")


def test_a_failing_model_ends_the_process_with_the_typical_message(stack: SampleStack) -> None:
    stack.stop("sentiment")
    stack.start_service("sentiment", FAULT_CRASH_AT_START="1", TORCH_DEVICE="cuda")
    assert stack.wait("sentiment") == 1
    assert "CUDA out of memory" in stack.log("sentiment")
    stack.start_service("sentiment")
    wait_until(lambda: stack.health("sentiment") == 200, "sentiment is back")


@pytest.mark.parametrize("name", _SERVICES)
def test_every_service_ends_with_0_when_told_to(stack: SampleStack, name: str) -> None:
    assert stack.stop(name) == 0
    assert '"message": "stopped", "clean": true' in stack.log(name)
