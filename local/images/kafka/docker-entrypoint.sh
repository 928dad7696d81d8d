#!/bin/bash
# The contract of the apache/kafka image: KAFKA_<NAME> becomes a server property, CLUSTER_ID names the cluster, the storage
# is formatted on the first start. One promise more: a StatefulSet's pod takes its node id from its ordinal.
set -Eeuo pipefail

readonly config="${KAFKA_CONFIG_DIR:-/tmp/kafka}/server.properties"

fail() {
    printf 'kafka: %s\n' "$1" >&2
    exit 1
}

set_defaults() {
    local ordinal="${HOSTNAME##*-}"
    [[ "$ordinal" =~ ^[0-9]+$ ]] || ordinal=1
    export KAFKA_NODE_ID="${KAFKA_NODE_ID:-$ordinal}"
    export KAFKA_PROCESS_ROLES="${KAFKA_PROCESS_ROLES:-broker,controller}"
    export KAFKA_LISTENERS="${KAFKA_LISTENERS:-PLAINTEXT://:9092,CONTROLLER://:9093}"
    export KAFKA_CONTROLLER_LISTENER_NAMES="${KAFKA_CONTROLLER_LISTENER_NAMES:-CONTROLLER}"
    export KAFKA_CONTROLLER_QUORUM_VOTERS="${KAFKA_CONTROLLER_QUORUM_VOTERS:-$KAFKA_NODE_ID@localhost:9093}"
    local map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
    export KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="${KAFKA_LISTENER_SECURITY_PROTOCOL_MAP:-$map}"
    export KAFKA_LOG_DIRS="${KAFKA_LOG_DIRS:-/var/lib/kafka/data}"
}

# Names by the image's rule: ___ is a dash, __ an underscore, _ a dot.
property_of() {
    local name="${1#KAFKA_}"
    name="${name,,}"
    name="${name//___/-}"
    name="${name//__/$'\n'}"
    name="${name//_/.}"
    printf '%s' "${name//$'\n'/_}"
}

write_properties() {
    mkdir -p "$(dirname "$config")" || fail "KAFKA_CONFIG_DIR=$(dirname "$config") cannot be written: mount a volume there"
    local variable
    while read -r variable; do
        case "$variable" in
            KAFKA_HEAP_OPTS | KAFKA_OPTS | KAFKA_JVM_PERFORMANCE_OPTS | KAFKA_LOG4J_* | KAFKA_CONFIG_DIR | KAFKA_VERSION) ;;
            # What Kubernetes adds for a Service named kafka.
            KAFKA_SERVICE_* | KAFKA_PORT | KAFKA_PORT_*) ;;
            *) printf '%s=%s\n' "$(property_of "$variable")" "${!variable}" ;;
        esac
    done < <(compgen -e KAFKA_) >"$config"
}

format_storage() {
    local first="${KAFKA_LOG_DIRS%%,*}"
    [ ! -s "$first/meta.properties" ] || return 0
    [ -n "${CLUSTER_ID:-}" ] || fail 'CLUSTER_ID is not set: a base64 UUID that all nodes share (kafka-storage.sh random-uuid)'
    mkdir -p "$first" || fail "KAFKA_LOG_DIRS=$first cannot be written by uid $(id -u): mount a writable volume there"
    kafka-storage.sh format --config "$config" --cluster-id "$CLUSTER_ID" --ignore-formatted >&2
}

main() {
    case "${1:-run}" in
        run | format) ;;
        *) exec "$@" ;;
    esac
    set_defaults
    write_properties
    format_storage
    if [ "${1:-run}" = format ]; then return 0; fi
    exec kafka-run-class.sh kafka.Kafka "$config"
}

main "$@"
