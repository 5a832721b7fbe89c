#!/bin/sh
# Runs tests/keyring.rs against a real gnome-keyring in a home folder of its own: unlocked, locked,
# with the wrong password, and with no session bus at all.
#
# Usage: with-keyring.sh [test binary]; without one it is built. Needs what tests/keyring/common.sh names.
set -eu

. "$(dirname "$0")/../../../tests/keyring/common.sh"

TESTS=$(find_tests keyring "${1:-}")
make_home
export TESTS VALETKEY_TEST_STATE_DIR="$home/state"

# $1: the state of the keyring, $2: its password, $3: what to do once it runs.
with_keyring() {
    echo "== keyring: $1, ${3:-as it is}"
    VALETKEY_TEST_SECRET_SERVICE=$1 timeout 120 dbus-run-session -- sh -euc '
        printf %s "$0" | eval "$UNLOCK"
        if [ "$1" = lock ]; then eval "$LOCK"; fi
        eval "$RUN"' "$2" "${3:-}"
}

with_keyring unlocked right
with_keyring unlocked right
with_keyring locked right lock
with_keyring locked wrong
export VALETKEY_TEST_SECRET_SERVICE=absent
echo "== keyring: absent"
eval "$RUN"
