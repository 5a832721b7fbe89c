#!/bin/sh
# Runs tests/items.rs against a real gnome-keyring in a home folder of its own, which tests/store.py filled by the code of
# msal-extensions: unlocked, locked, and with no session bus at all.
#
# Usage: with-keyring.sh <msal_extensions/libsecret.py> [test binary]; without one it is built. Needs dbus-run-session,
# dbus-send, gnome-keyring-daemon and the system's python3 with PyGObject (Debian: dbus, gnome-keyring, python3-gi,
# gir1.2-secret-1).
set -eu

libsecret=$(realpath "$1")
store=$(realpath "$(dirname "$0")/store.py")
if [ $# -gt 1 ]; then
    tests=$2
else
    tests=$(cargo test --workspace --test items --no-run 2>&1 | tee -a /dev/stderr |
        sed -n 's/.*Executable.*(\(.*\))$/\1/p')
    case $tests in
        /*) ;;
        *) tests=$(cd "$(dirname "$0")/../../.." && pwd)/$tests ;;
    esac
fi

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
unset DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY
export HOME="$home" XDG_RUNTIME_DIR="$home/run" XDG_DATA_HOME="$home/data" STORE="$store" LIBSECRET="$libsecret"
export VALETKEY_TEST_SIGNAL="$home/cache.bin" VALETKEY_MSAL_CACHES_TESTS="$tests"
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"

# The daemon's output is closed: it outlives the shell, and a reader of our output would wait for it.
timeout 240 dbus-run-session -- sh -euc '
    printf %s right | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
    /usr/bin/python3 "$STORE" "$LIBSECRET" "$VALETKEY_TEST_SIGNAL"
    echo "== keyring: unlocked"
    VALETKEY_TEST_SECRET_SERVICE=unlocked "$VALETKEY_MSAL_CACHES_TESTS" --nocapture --test-threads 1
    dbus-send --session --print-reply --dest=org.freedesktop.secrets \
        /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock \
        array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
    echo "== keyring: locked"
    VALETKEY_TEST_SECRET_SERVICE=locked "$VALETKEY_MSAL_CACHES_TESTS" --nocapture --test-threads 1'
echo "== keyring: absent"
VALETKEY_TEST_SECRET_SERVICE=absent "$tests" --nocapture --test-threads 1
