#!/bin/bash
# Runs the user units of packaging/systemd under a real, unprivileged `systemd --user` and journald, in namespaces of their
# own: nothing of this machine's systemd is touched.
#
#   run-user-units.sh [FOLDER]     valetkeyd and entra-emulator are taken from FOLDER (default: target/debug)
#
# Needs root, and the Debian packages systemd, dbus, curl and python3. Prints one line for each fact; the first that does
# not hold ends it with exit status 1, after the logs.

set -euo pipefail

here=$(dirname -- "$(readlink -f -- "$0")")
readonly repository=$here/../..
readonly units=$repository/packaging/systemd/user
# Nobody: what works for this user works for everybody.
readonly uid=65534

if [[ ${1-} != --inside ]]; then
    [[ $EUID == 0 ]] || { echo "run-user-units.sh: needs root, for its mounts" >&2; exit 1; }
    programs=$(readlink -f -- "${1:-$repository/target/debug}")
    world=$(mktemp -d /tmp/valetkey-units.XXXXXX)
    trap 'rm -rf -- "$world"' EXIT
    unshare --mount --cgroup --pid --fork --kill-child --mount-proc --propagation private -- bash "$0" --inside "$programs" "$world"
    exit
fi

readonly programs=$2 world=$3
readonly home=$world/home
readonly bin=$home/.local/bin installed=$home/.config/systemd/user
readonly log=$world/systemd.log answer=$world/answer
readonly socket=$world/run/valetkey/broker.sock

# --- the world: folders, mounts, journald, the user's systemd ---------------------------------------------------------

make_folders() {
    mkdir -p "$world"/{run,state} "$bin" "$world/clone/packaging/systemd"
    install -m 755 "$programs/valetkeyd" "$programs/entra-emulator" "$bin/"
    cp -R "$units" "$world/clone/packaging/systemd/"
    chown -R "$uid:$uid" "$world"
    chmod 700 "$world/run"
}

make_mounts() {
    mount -t tmpfs -o mode=755 tmpfs /run
    # libsystemd takes this folder for the sign that the machine was booted with systemd (sd_booted(3)).
    mkdir -p /run/systemd/system
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # As logind would: journald reads the unit's name out of this path.
    local delegated=/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service
    mkdir -p "$delegated/init.scope"
    chown -R "$uid:$uid" "$delegated"
}

as_user() {
    setpriv --reuid="$uid" --regid="$uid" --clear-groups env -i PATH=/usr/bin:/bin HOME="$home" LANG=C.UTF-8 \
        XDG_RUNTIME_DIR="$world/run" XDG_STATE_HOME="$world/state" "$@"
}

start_journald() {
    /lib/systemd/systemd-journald < /dev/null > "$world/journald.log" 2>&1 &
    await "journald listens" test -S /run/systemd/journal/stdout
}

start_user_systemd() {
    ( echo "$BASHPID" > "/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/init.scope/cgroup.procs"
      as_user /lib/systemd/systemd --user --log-target=console < /dev/null > "$log" 2>&1 ) &
    await "a real systemd --user runs" systemctl_user --quiet is-system-running
}

start_emulator() {
    mkfifo "$world/emulator.stdin"
    chown "$uid:$uid" "$world/emulator.stdin"
    # It serves until its input closes; this shell holds the other end.
    exec 9<> "$world/emulator.stdin"
    as_user "$bin/entra-emulator" --device-interval 1 < "$world/emulator.stdin" > "$world/emulator.ready" &
    await "the Entra emulator listens" grep -q base_url "$world/emulator.ready"
    emulator=$(member base_url < "$world/emulator.ready")
}

# --- words of the test ------------------------------------------------------------------------------------------------

fail() {
    echo "FAILED: $*" >&2
    {
        echo "--- systemd --user"; tail -n 40 "$log"
        echo "--- journal"; journal --output=short | tail -n 40
        echo "--- last answer"; cat "$answer"
    } >&2 || true
    exit 1
}

check() {
    local fact=$1; shift
    "$@" || fail "$fact"
    echo "ok: $fact"
}

# Ten seconds are far beyond what any of these takes.
await() {
    local fact=$1; shift
    for _ in {1..500}; do
        if "$@" 2>/dev/null; then echo "ok: $fact"; return; fi
        sleep 0.02 # sleep: there is nothing to wait on; this polls for readiness
    done
    fail "$fact, within ten seconds"
}

systemctl_user() { as_user systemctl --user "$@"; }
property() { systemctl_user show --value --property="$2" "$1"; }
is() { [[ "$1" == "$2" ]] || { echo "expected '$2', got '$1'" >&2; return 1; }; }
lacks() { ! grep --ignore-case --quiet -- "$1" "$2"; }
journal() { journalctl --quiet --no-pager "_SYSTEMD_USER_UNIT=valetkeyd.service" "$@"; }
# The member at a path such as device.user_code, of the JSON on standard input.
member() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }

# METHOD PATH [BODY]: the answer goes to $answer; fails unless the status says success.
broker() {
    as_user curl --silent --show-error --fail-with-body --max-time 60 --unix-socket "$socket" --request "$1" \
        ${3:+--header "Content-Type: application/json" --data "$3"} "http://valetkey$2" > "$answer"
}

open_app() {
    broker POST /v1/apps "{\"client_id\": \"units\", \"authority\": \"$emulator/common\", \"instance_discovery\": false}"
    app=$(member app < "$answer")
}

sign_in() {
    broker POST "/v1/apps/$app/flows" '{"kind": "device_code", "scopes": ["User.Read"]}'
    local flow code
    flow=$(member flow < "$answer")
    code=$(member device.user_code < "$answer")
    curl --silent --fail --header "Content-Type: application/json" --noproxy '*' \
        --data "{\"user_code\": \"$code\", \"user\": \"alice@contoso.com\"}" "$emulator/_emulator/device"
    broker GET "/v1/flows/$flow?wait=30"
    is "$(member state < "$answer")" completed
}

token_is_there() {
    open_app && broker POST "/v1/apps/$app/token" '{"scopes": ["User.Read"]}' && is "$(member token_source < "$answer")" cache
}

second_daemon_leaves() { as_user "$bin/valetkeyd" 2>&1 | grep --quiet "nothing to do"; }

# --- the facts --------------------------------------------------------------------------------------------------------

units_are_clean() {
    local said
    said=$(as_user systemd-analyze --user verify "$installed/"valetkeyd.{socket,service} 2>&1) && is "$said" ""
}

# What the README tells those who run it as a service, as it stands there.
follow_readme() {
    local commands
    commands=$(sed -n '/^### You run it as a service/,/^##/{/^```sh$/,/^```$/{/^```/!p}}' "$repository/README.md")
    as_user bash -euc "cd $world/clone; $commands"
}

check_activation() {
    local -r enabled=$installed/sockets.target.wants/valetkeyd.socket
    check "the README's commands enable the socket" test -L "$enabled"
    systemctl_user disable --quiet valetkeyd.socket
    systemctl_user enable --quiet valetkeyd.service
    check "enabling the service enables the socket" test -L "$enabled"
    check "the socket is active" is "$(property valetkeyd.socket ActiveState)" active
    check "the service is not, before anybody asks" is "$(property valetkeyd.service ActiveState)" inactive
    check "nobody else reaches the socket" \
        is "$(stat -c '%a %u' "$socket") $(stat -c '%a' "$(dirname "$socket")")" "600 $uid 700"
    check "the first request starts the daemon and is answered" broker GET /v1/status
    check "the daemon's own filter holds beside the unit's" is "$(member protection.system_calls < "$answer")" True
    check "no key reaches the swap" is "$(member protection.keys_in_swap < "$answer")" 0
    check "Type=notify: the daemon said that it is ready" \
        is "$(property valetkeyd.service Type) $(property valetkeyd.service SubState)" "notify running"
    check "the store is where a daemon without systemd keeps it" is "$(stat -c '%a' "$world/state/valetkey")" 700
}

check_reload() {
    local pid
    pid=$(property valetkeyd.service MainPID)
    as_user mkdir --parents "$home/.config/valetkey"
    as_user tee "$home/.config/valetkey/config.toml" > "$world/tee.txt" <<< $'[apps.declared]\nclient_id = "units"'
    systemctl_user reload valetkeyd.service
    await "a reload reads the configuration anew" eval 'journal --output=cat | grep --quiet "read anew"'
    check "a reload ends nothing" is "$(property valetkeyd.service MainPID)" "$pid"
}

check_restarts() {
    local inode pid
    inode=$(stat -c %i "$socket")
    check "a person signs in" eval 'open_app && sign_in'
    pid=$(property valetkeyd.service MainPID)
    systemctl_user restart valetkeyd.service
    check "a restart is a new process" test "$(property valetkeyd.service MainPID)" != "$pid"
    check "a restart keeps the sign-in" token_is_there
    systemctl_user stop valetkeyd.service 2> "$world/stop.txt" # it warns that the socket can start it again
    check "a stop is clean" is "$(property valetkeyd.service Result) $(property valetkeyd.service ActiveState)" "success inactive"
    check "a stop leaves systemd's socket alone" is "$(stat -c %i "$socket")" "$inode"
    check "the next request starts the daemon again, with the sign-in" token_is_there
    kill -KILL "$(property valetkeyd.service MainPID)"
    check "a killed daemon comes back at the next request, with the sign-in" token_is_there
    check "a second daemon by hand sees that there is one" second_daemon_leaves
    check "the socket was the same all along" is "$(stat -c %i "$socket")" "$inode"
}

check_logs() {
    local -r written=$world/journal.txt
    journalctl --sync
    journal --output=cat > "$written"
    check "the log is in the journal" grep --quiet "ready" "$written"
    check "it has no colour codes" lacks $'\x1b' "$written"
    check "it has no priority left in its text" lacks '^<[0-7]>' "$written"
    check "its priorities are the journal's" is "$(journal --output=json --lines=1 | member PRIORITY)" 6
    check "it names no user" lacks alice "$written"
    check "no system call was refused" lacks 'not permitted\|cannot' "$written"
}

make_folders
make_mounts
start_journald
start_user_systemd
start_emulator
follow_readme
check "systemd-analyze verify has nothing to say" units_are_clean
check_activation
check_reload
check_restarts
check_logs
as_user systemd-analyze --user security valetkeyd.service --no-pager | tail -n 1
