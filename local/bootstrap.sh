#!/bin/sh
# Prints the path of uv. Where there is none, installs that of uv-requirements.txt into the user's cache, and nowhere else.
set -eu
requirements="$(dirname "$0")/uv-requirements.txt"
if command -v uv >/dev/null 2>&1; then
    command -v uv
    exit 0
fi
case "${XDG_CACHE_HOME:-}" in
    /*) cache="$XDG_CACHE_HOME" ;;
    *) cache="${HOME:+$HOME/.cache}" ;;
esac
if [ -z "$cache" ]; then
    echo "make: neither HOME nor XDG_CACHE_HOME names a folder; set HOME to yours" >&2
    exit 1
fi
VERSION="$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$requirements")"
home="$cache/crypto-operations/uv/$VERSION"
if [ ! -x "$home/bin/uv" ]; then
    if ! mkdir -p "$home" 2>/dev/null || [ ! -w "$home" ]; then
        echo "make: the folder $home cannot be written; set XDG_CACHE_HOME to a folder that this user can write" >&2
        exit 1
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
        echo "make: Python 3.11 or newer is needed as python3; install Debian's python3" >&2
        exit 1
    }
    # Debian's python3 has pip or venv only as packages of their own.
    if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            echo "installing Debian's python3-venv" >&2
            apt-get update -qq >/dev/null &&
                apt-get install -y -qq --no-install-recommends --no-remove python3-venv >/dev/null
        else
            echo "make: python3 has no venv; run: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    echo "installing uv $VERSION into the cache" >&2
    python3 -m venv "$home.partial" >&2
    "$home.partial/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$requirements" >&2
    mkdir -p "$home/bin"
    # The program alone is kept: it needs nothing of the virtual environment that brought it.
    mv "$home.partial/bin/uv" "$home/bin/uv"
    rm -rf "$home.partial"
fi
echo "$home/bin/uv"
