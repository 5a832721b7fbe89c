#!/bin/bash
# Runs the system units of packaging/systemd under a real systemd that is the first process of namespaces of its own, on a copy
# of this machine's file system in memory: nothing of this machine is touched.
#
#   run-system-units.sh [FOLDER]     valetkeyd is taken from FOLDER (default: target/debug)
#
# Needs root, and the Debian packages systemd, dbus, curl and python3. Prints one line for each fact; the first that does
# not hold ends it with exit status 1, after the logs.

set -euo pipefail

here=$(dirname -- "$(readlink -f -- "$0")")
readonly repository=$here/../..

if [[ ${1-} != --* ]]; then
    [[ $EUID == 0 ]] || { echo "run-system-units.sh: needs root, for its mounts" >&2; exit 1; }
    programs=$(readlink -f -- "${1:-$repository/target/debug}")
    world=$(mktemp -d /tmp/valetkey-system.XXXXXX)
    trap 'rm -rf -- "$world"' EXIT
    unshare --mount --propagation private -- bash "$0" --outside "$programs" "$world"
    exit
fi

# --- outside: a machine to boot -----------------------------------------------------------------------------------------

make_root() {
    mount -t tmpfs tmpfs "$world"
    mkdir -p "$world"/{changes,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$world/changes,workdir=$world/work" "$root"
    for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
    chmod 755 "$root/run"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount --rbind /dev "$root/dev"
    # systemd hands credentials over by mounts of its own.
    mount --make-rshared "$root"
}

# As a package would; and a target that reaches nothing of what else this machine would start.
install_units() {
    local -r units=$root/etc/systemd/system packaged=$repository/packaging/systemd/system
    install -D -m 755 "$programs/valetkeyd" "$root/usr/bin/valetkeyd"
    install -D -m 644 -t "$units" "$packaged"/valetkeyd.{socket,service}
    install -D -m 644 "$packaged/sysusers.conf" "$root/usr/lib/sysusers.d/valetkey.conf"
    install -D -m 755 "$here/run-system-units.sh" "$root/opt/facts.sh"
    # The configuration that packaging/systemd/README.md shows.
    sed -n '/^```toml$/,/^```$/{/^```/!p}' "$repository/packaging/systemd/README.md" > "$root/opt/config.toml"
    printf '[Unit]\nRequires=sysinit.target valetkeyd.socket facts.service\nAfter=sysinit.target valetkeyd.socket\n' \
        > "$units/facts.target"
    printf '[Unit]\nAfter=valetkeyd.socket\n[Service]\nType=oneshot\nTimeoutStartSec=120\nStandardOutput=file:/opt/facts.txt\n%s\n%s\n%s\n' \
        'StandardError=file:/opt/facts.txt' 'ExecStart=/bin/bash /opt/facts.sh --inside' \
        'ExecStopPost=/bin/systemctl poweroff --force' > "$units/facts.service"
    local unit
    for unit in systemd-{udevd,udev-trigger,networkd,resolved,timesyncd,modules-load,sysctl,random-seed}.service; do
        ln -sf /dev/null "$units/$unit"
    done
}

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

boot() {
    # `container=` keeps systemd from what a machine of hardware has.
    timeout 180 unshare --pid --fork --kill-child --mount --propagation unchanged --mount-proc --cgroup --net --uts --ipc \
        --root="$root" --wd=/ /usr/bin/env -i container=valetkey PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=facts.target --log-target=console --show-status=no \
        < /dev/null > "$world/boot.log" 2>&1 || true
}

if [[ $1 == --outside ]]; then
    readonly programs=$2 world=$3
    readonly root=$world/root
    make_root
    install_units
    in_root systemd-sysusers valetkey.conf > "$world/sysusers.txt" 2>&1
    said=$(in_root systemd-analyze verify /etc/systemd/system/valetkeyd.{socket,service} 2>&1) || true
    [[ -z $said ]] || { echo "FAILED: systemd-analyze verify has nothing to say: $said" >&2; exit 1; }
    echo "ok: systemd-analyze verify has nothing to say"
    boot
    cat "$root/opt/facts.txt" || true
    grep --quiet '^all facts hold$' "$root/opt/facts.txt" && exit
    tail -n 40 "$world/boot.log" >&2
    exit 1
fi

# --- inside: the facts --------------------------------------------------------------------------------------------------

readonly socket=/run/valetkey/broker.sock answer=/run/answer

fail() {
    echo "FAILED: $*"
    journalctl --quiet --no-pager --unit=valetkeyd.service | tail -n 40
    echo "--- last answer"; cat "$answer" || true
    exit 1
}

check() {
    local fact=$1; shift
    "$@" || fail "$fact"
    echo "ok: $fact"
}

is() { [[ "$1" == "$2" ]] || { echo "expected '$2', got '$1'"; return 1; }; }
property() { systemctl show --value --property="$2" "$1"; }
member() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[1].split("."), json.load(sys.stdin)))' "$1" < "$answer"; }
lacks() { ! grep --ignore-case --quiet -- "$1" "$2"; }

# USER PATH: the answer goes to $answer; fails unless the status says success.
ask() {
    setpriv --reuid="$1" --regid="$1" --clear-groups curl --silent --show-error --fail-with-body --max-time 60 \
        --unix-socket "$socket" "http://valetkey$2" > "$answer"
}

check_activation() {
    check "the socket is active" is "$(property valetkeyd.socket ActiveState)" active
    check "the service is not, before anybody asks" is "$(property valetkeyd.service ActiveState)" inactive
    check "everybody may connect, and nobody but root put another socket there" \
        is "$(stat -c '%a %u' "$socket") $(stat -c '%a %u' "$(dirname "$socket")")" "666 0 755 0"
    check "the first request starts the daemon and is answered" ask valetkey /v1/status
    check "Type=notify: the daemon said that it is ready" \
        is "$(property valetkeyd.service Type) $(property valetkeyd.service SubState)" "notify running"
    check "it runs as a user of its own" is "$(ps -o user= -p "$(property valetkeyd.service MainPID)")" valetkey
    check "nobody else reads the store" is "$(stat -c '%a %U' /var/lib/valetkey)" "700 valetkey"
}

check_protection() {
    # landlock_create_ruleset(2) for the version answers how much there is of it.
    if python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)'; then
        check "Landlock holds beside the unit's own sandbox" grep --quiet '"files":"\(all\|part\)"' "$answer"
    else
        echo "NOT CHECKED: this kernel has no Landlock"
    fi
    check "seccomp holds" is "$(member protection.system_calls)" True
    check "no key reaches the swap" is "$(member protection.keys_in_swap)" 0
}

# Seals the key for this machine, as packaging/systemd/README.md says it.
seal_key() {
    systemd-creds encrypt --quiet --with-key=host --name=valetkey-key /run/valetkey-key /etc/valetkey/valetkey-key.cred 2> /run/encrypt.txt
}

check_credential() {
    install -D -m 644 /opt/config.toml /etc/valetkey/config.toml
    (umask 077; head -c 32 /dev/urandom > /run/valetkey-key)
    seal_key
    mkdir -p /etc/systemd/system/valetkeyd.service.d
    printf '[Service]\nLoadCredentialEncrypted=valetkey-key:/etc/valetkey/valetkey-key.cred\n' \
        > /etc/systemd/system/valetkeyd.service.d/key.conf
    systemctl stop valetkeyd.service 2> /run/stop.txt # it warns that the socket can start it again
    check "a stop is clean" is "$(property valetkeyd.service Result)" success
    rm -rf /var/lib/valetkey/*
    systemctl daemon-reload
    check "the next request starts it again, of a user whom the configuration lets in" ask 65534 /v1/status
    ask valetkey /v1/status
    check "its key is the encrypted credential" is "$(member key.provider)" credential
    systemctl restart valetkeyd.service
    check "a restart finds the key again" ask valetkey /v1/status
    check "and the store" is "$(member locked) $(member key.provider)" "False credential"
}

# As on another machine: what sealed the credential is gone, and the 32 bytes were kept.
check_restore() {
    rm /var/lib/systemd/credential.secret
    check "a credential of another machine is refused" eval '! systemctl restart valetkeyd.service 2> /run/refused.txt'
    systemctl stop valetkeyd.service 2> /run/stop.txt
    systemctl reset-failed valetkeyd.service valetkeyd.socket
    seal_key
    systemctl start valetkeyd.socket
    check "the same bytes, sealed anew, open the store" ask valetkey /v1/status
    check "which was not begun anew" is "$(member locked) $(find /var/lib/valetkey -name '*.damaged-*')" "False "
    rm /run/valetkey-key
}

check_logs() {
    journalctl --sync
    journalctl --quiet --no-pager --output=cat _SYSTEMD_UNIT=valetkeyd.service > /run/journal.txt
    check "the log is in the journal" grep --quiet ready /run/journal.txt
    check "no system call was refused" lacks 'not permitted\|cannot' /run/journal.txt
}

check_activation
check_protection
check_credential
check_restore
check_logs
systemd-analyze security valetkeyd.service --no-pager | tail -n 1
echo "all facts hold"
