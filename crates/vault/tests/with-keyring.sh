#!/bin/sh
# Runs tests/keyring.rs against a real gnome-keyring in a home folder of its own: unlocked, locked,
# with the wrong password, and with no session bus at all.
#
# Usage: with-keyring.sh [test binary]; without one it is built. Needs dbus-run-session, busctl or
# dbus-send, and gnome-keyring-daemon (Debian: dbus, gnome-keyring). Exits with 77 if they are
# missing, so that the caller can report the suite as skipped.
set -eu

for program in dbus-run-session dbus-send gnome-keyring-daemon; do
    command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 77; }
done

if [ $# -gt 0 ]; then
    tests=$1
else
    # Of the whole workspace, so that what other suites built serves here too: alone the vault has other features.
    tests=$(cargo test --workspace --test keyring --no-run 2>&1 | tee -a /dev/stderr |
        sed -n 's/.*Executable.*(\(.*\))$/\1/p')
    case $tests in
        /*) ;;
        *) tests=$(cd "$(dirname "$0")/../../.." && pwd)/$tests ;;
    esac
fi

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
unset DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY
export HOME="$home" XDG_RUNTIME_DIR="$home/run" XDG_DATA_HOME="$home/data"
export VALETKEY_TEST_STATE_DIR="$home/state" VALETKEY_KEYRING_TESTS="$tests"
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"

# $1: the state of the keyring, $2: its password, $3: what to do once it runs. The daemon's output
# is closed: it outlives the shell, and a reader of our output would wait for it.
with_keyring() {
    echo "== keyring: $1, ${3:-as it is}"
    VALETKEY_TEST_SECRET_SERVICE=$1 timeout 120 dbus-run-session -- sh -euc '
        printf %s "$0" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
        if [ "$1" = lock ]; then
            dbus-send --session --print-reply --dest=org.freedesktop.secrets \
                /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock \
                array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
        fi
        "$VALETKEY_KEYRING_TESTS" --nocapture --test-threads 1' "$2" "${3:-}"
}

with_keyring unlocked right
with_keyring unlocked right
with_keyring locked right lock
with_keyring locked wrong
echo "== keyring: absent"
VALETKEY_TEST_SECRET_SERVICE=absent "$tests" --nocapture --test-threads 1
