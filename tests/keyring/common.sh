#!/bin/sh
# Sourced by the scripts that run a crate's tests against a real gnome-keyring: the test binary, and a home folder and keyring
# of its own. Needs dbus-run-session, dbus-send and gnome-keyring-daemon (Debian: dbus, gnome-keyring).

# The binary of the test $1, built if the path $2 is not given.
find_tests() {
    if [ -n "${2:-}" ]; then
        echo "$2"
        return
    fi
    # Of the whole workspace, so that what other suites built serves here too: alone a crate has other features.
    # Appended to the log: opened anew, a file that our errors go to would be cut off.
    built=$(cargo test --workspace --test "$1" --no-run 2>&1 | tee -a /dev/stderr |
        sed -n 's/.*Executable.*(\(.*\))$/\1/p')
    case $built in
        /*) echo "$built" ;;
        *) echo "$(cd "$(dirname "$0")/../../.." && pwd)/$built" ;;
    esac
}

# A home folder that ends with the script, and no session bus but the one to come.
make_home() {
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    unset DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY
    export HOME="$home" XDG_RUNTIME_DIR="$home/run" XDG_DATA_HOME="$home/data"
    mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"
}

# For `eval` on a session bus. The daemon's output is closed: it outlives the shell, and a reader of our output would wait
# for it.
export UNLOCK='gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1'
export LOCK='dbus-send --session --print-reply --dest=org.freedesktop.secrets \
    /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock \
    array:objpath:/org/freedesktop/secrets/collection/login >/dev/null'
export RUN='"$TESTS" --nocapture --test-threads 1'
