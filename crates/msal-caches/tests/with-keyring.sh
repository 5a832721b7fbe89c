#!/bin/sh
# Runs tests/items.rs against a real gnome-keyring in a home folder of its own, which tests/store.py filled by the code of
# msal-extensions: unlocked, locked, and with no session bus at all.
#
# Usage: with-keyring.sh <msal_extensions/libsecret.py> [test binary]; without one it is built. Needs what
# tests/keyring/common.sh names, and the system's python3 with PyGObject (Debian: python3-gi, gir1.2-secret-1).
set -eu

. "$(dirname "$0")/../../../tests/keyring/common.sh"

LIBSECRET=$(realpath "$1")
STORE=$(realpath "$(dirname "$0")/store.py")
TESTS=$(find_tests items "${2:-}")
make_home
export LIBSECRET STORE TESTS VALETKEY_TEST_SIGNAL="$home/cache.bin"

timeout 240 dbus-run-session -- sh -euc '
    printf %s right | eval "$UNLOCK"
    /usr/bin/python3 "$STORE" "$LIBSECRET" "$VALETKEY_TEST_SIGNAL"
    export VALETKEY_TEST_SECRET_SERVICE=unlocked
    echo "== keyring: unlocked"
    eval "$RUN"
    eval "$LOCK"
    export VALETKEY_TEST_SECRET_SERVICE=locked
    echo "== keyring: locked"
    eval "$RUN"'
export VALETKEY_TEST_SECRET_SERVICE=absent
echo "== keyring: absent"
eval "$RUN"
