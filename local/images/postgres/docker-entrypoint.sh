#!/bin/bash
# The official image's contract (POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD[_FILE], POSTGRES_INITDB_ARGS,
# POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d), with one promise more: a first start that is killed at
# any moment leaves nothing that a later start mistakes for a database.
set -Eeuo pipefail

readonly staging="$PGDATA/.initdb"

# Process 1 has no default handlers: without these a stop during the first start would wait for SIGKILL.
trap 'exit 130' INT TERM

fail() {
    printf 'postgres: %s\n' "$1" >&2
    exit 1
}

read_password() {
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        [ -z "${POSTGRES_PASSWORD:-}" ] || fail 'POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set: keep one'
        [ -r "$POSTGRES_PASSWORD_FILE" ] || fail "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE cannot be read"
        POSTGRES_PASSWORD="$(<"$POSTGRES_PASSWORD_FILE")"
    fi
    [ -n "${POSTGRES_PASSWORD:-}" ] || fail 'no superuser password: set POSTGRES_PASSWORD_FILE to a non-empty file'
}

# The interface that scripts in /docker-entrypoint-initdb.d know from the official image.
docker_process_sql() {
    PGPASSWORD="$POSTGRES_PASSWORD" psql --host "$socket_folder" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
        --no-password --no-psqlrc --set ON_ERROR_STOP=1 "$@"
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh)
                if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) docker_process_sql --file "$file" ;;
            *.sql.gz) gunzip --stdout "$file" | docker_process_sql ;;
        esac
    done
}

create_database() {
    export PGHOST="$socket_folder" PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD"
    if [ "$POSTGRES_DB" != postgres ]; then
        psql --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 --set name="$POSTGRES_DB" --quiet \
            <<<'CREATE DATABASE :"name";'
    fi
    export PGDATABASE="$POSTGRES_DB"
    run_init_files
    unset PGHOST PGUSER PGPASSWORD PGDATABASE
}

# $@: the server's own arguments, so that scripts find the settings (preloaded libraries) that they will live with.
initialise() {
    socket_folder="$(mktemp -d)"
    # A staging folder means that everything else here was moved out of it by a start that did not end.
    find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    mkdir -m 0700 "$staging"
    trap 'pg_ctl --pgdata "$staging" --mode immediate --silent stop || true' EXIT
    # shellcheck disable=SC2086 # a list of arguments by contract
    initdb --pgdata "$staging" --username "$POSTGRES_USER" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local trust --auth-host scram-sha-256 --data-checksums --no-instructions ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$staging/pg_hba.conf"
    local options
    printf -v options '%q ' "$@" -c data_directory="$staging" -c listen_addresses= -c port=5432 \
        -c unix_socket_directories="$socket_folder"
    pg_ctl --pgdata "$staging" --options "$options" --wait --silent start
    create_database
    pg_ctl --pgdata "$staging" --mode fast --wait --silent stop
    trap - EXIT
    publish
    rm -rf "$socket_folder"
}

# PG_VERSION is what makes the folder a database: it moves last, after everything else is on the disk.
publish() {
    find "$staging" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv --target-directory "$PGDATA" {} +
    sync --file-system "$PGDATA"
    mv "$staging/PG_VERSION" "$PGDATA/PG_VERSION"
    rmdir "$staging"
    sync --file-system "$PGDATA"
}

prepare_folder() {
    mkdir -p "$PGDATA" || fail "PGDATA=$PGDATA cannot be created by uid $(id -u): mount a writable volume there"
    [ -O "$PGDATA" ] || fail "PGDATA=$PGDATA belongs to another user: set PGDATA to a sub-folder of the volume"
    chmod 0700 "$PGDATA"
}

main() {
    if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
    if [ "$1" = postgres ]; then
        prepare_folder
        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            if [ ! -d "$staging" ] && [ -n "$(find "$PGDATA" -mindepth 1 ! -name lost+found -print -quit)" ]; then
                fail "PGDATA=$PGDATA is not empty and holds no database: empty it or choose another folder"
            fi
            POSTGRES_USER="${POSTGRES_USER:-postgres}"
            POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}"
            read_password
            initialise "${@:2}"
        fi
    fi
    unset POSTGRES_PASSWORD
    exec "$@"
}

main "$@"
