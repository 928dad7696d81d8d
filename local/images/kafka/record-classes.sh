#!/bin/bash
# Starts a throwaway broker and writes the archive of the classes that it loaded to /opt/kafka/kafka.jsa.
set -Eeuo pipefail

folder="$(mktemp -d)"
log="$folder/log"
# The build may share the host's network: two ports that nothing is likely to hold.
port=$((20000 + RANDOM % 10000 * 2))
export KAFKA_CONFIG_DIR="$folder/config" KAFKA_LOG_DIRS="$folder/data" CLUSTER_ID=AAAAAAAAAAAAAAAAAAAAAQ KAFKA_NODE_ID=1
export KAFKA_LISTENERS="PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))"
export KAFKA_CONTROLLER_QUORUM_VOTERS="1@127.0.0.1:$((port + 1))" KAFKA_LOG4J_ROOT_LOGLEVEL=INFO
export CLASS_ARCHIVE_OPTS=-Xshare:auto

# Formatting first with the plain options, so that only the broker itself is recorded.
docker-entrypoint.sh format >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
CLASS_ARCHIVE_OPTS=-XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa docker-entrypoint.sh >"$log" 2>&1 &
broker=$!
until grep -q 'Kafka Server started' "$log"; do
    kill -0 "$broker" || { cat "$log" >&2; exit 1; }
    sleep 0.2
done
kill "$broker"
wait "$broker" || true
test -s /opt/kafka/kafka.jsa
rm -rf "$folder"
