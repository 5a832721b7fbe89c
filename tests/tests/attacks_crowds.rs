//! Attacks on the front door by programs of the same user, who reach the socket: crowds, dawdlers and floods. Each costs its
//! own connection at most; others are served, and memory and descriptors stay where they were. And there is no other door.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::UnixStream;
use valetkey_tests::{ALICE, Answer, Connection, Machine, World, patiently, request, skip};

/// What an attack may cost the daemon in memory while it goes on, in KiB. The rest is at most what 4,096 connections of one
/// user need.
const WHILE_IT_LASTS: u64 = 128 * 1024;

/// A connection is a descriptor, and the usual soft limit is 1,024; how many there may be.
fn lift_descriptor_limit() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

/// As many connections, each of which has said this much and says no more.
async fn dawdle(machine: &Machine, count: usize, said: &[u8]) -> Vec<Connection> {
    let mut dawdlers = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = machine.connect().await;
        connection.send(said).await.unwrap();
        dawdlers.push(connection);
    }
    dawdlers
}

/// Slow loris: the half of a head, or a head without its body.
#[tokio::test]
async fn thousands_who_never_finish_their_request_hold_up_nobody_and_cost_little() {
    lift_descriptor_limit();
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let before = world.machine.vitals();
    let half_a_head = b"POST /v1/apps HTTP/1.1\r\nHost: valet";
    let headers = "Content-Type: application/json\r\nContent-Length: 1000000\r\n";
    let half_a_body = request("POST", "/v1/apps", headers, &[b' '; 4_096]);
    let mut dawdlers = dawdle(&world.machine, 1_500, half_a_head).await;
    dawdlers.extend(dawdle(&world.machine, 1_500, &half_a_body).await);
    for _ in 0..20 {
        assert_eq!(caller.token(json!({})).await.status, 200);
        assert_eq!(world.machine.get("/v1/status").await.status, 200);
    }
    let during = world.machine.vitals();
    let grown = during.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown < WHILE_IT_LASTS, "{before:?} became {during:?}");
    drop(dawdlers);
    back_to(&world.machine, before.descriptors).await;
}

/// The daemon lets go of what was closed, when it comes to it.
async fn back_to(machine: &Machine, descriptors: usize) {
    patiently("the descriptors to come back", async {
        while machine.vitals().descriptors > descriptors + 16 {
            machine.status().await;
        }
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_connections_leave_the_daemon_alive_and_a_known_caller_served() {
    const CROWD: u64 = 10_000;
    let most = lift_descriptor_limit();
    if most < CROWD + 100 {
        return skip(&format!("a process may have {most} descriptors here"));
    }
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let before = world.machine.vitals();
    let socket = world.machine.endpoint().path();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        // By the socket itself: the harness waits for a queue that is full.
        if let Ok(connection) = UnixStream::connect(socket).await {
            crowd.push(connection);
        }
    }
    for _ in 0..20 {
        assert_eq!(caller.token(json!({})).await.status, 200);
    }
    caller.token(json!({"force_refresh": true})).await.success();
    let during = world.machine.vitals();
    assert!(during.descriptors < 2 * 4_096 + 200, "{during:?}");
    assert!(during.resident_kib - before.resident_kib < WHILE_IT_LASTS, "{before:?}, {during:?}");
    drop(crowd);
    back_to(&world.machine, before.descriptors).await;
    assert_eq!(world.caller().await.token(json!({})).await.status, 200);
}

/// Sends pieces until the daemon has had enough; how many bytes it took, and its answer if there is one.
async fn flood(machine: &Machine, head: &[u8], piece: &[u8], total: u64) -> (u64, Option<Answer>) {
    let mut connection = machine.connect().await;
    connection.send(head).await.unwrap();
    let mut sent = 0;
    while sent < total {
        match patiently("a piece to be taken", connection.send(piece)).await {
            Ok(()) => sent += piece.len() as u64,
            Err(_) => break,
        }
    }
    (sent, patiently("an answer or the end", connection.receive()).await.ok())
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_refused_early_and_fills_no_memory() {
    const GIGABYTE: u64 = 1 << 30;
    let machine = Machine::start().await;
    let before = machine.vitals();
    let piece = [b' '; 64 * 1024];
    let chunk = [b"10000\r\n".as_slice(), &piece, b"\r\n"].concat();
    let json = "Content-Type: application/json\r\n";
    let announced = format!("{json}Content-Length: {GIGABYTE}\r\n");
    let in_chunks = format!("{json}Transfer-Encoding: chunked\r\n");
    for path in ["/v1/apps", "/v1/cache/import", "/v1/unlock", "/v1/nowhere"] {
        for (headers, piece) in [(&announced, &piece[..]), (&in_chunks, &chunk)] {
            let head = request("POST", path, headers, b"");
            let (taken, answer) = flood(&machine, &head, piece, GIGABYTE).await;
            assert!(taken < 16 << 20, "{path} took {taken} bytes");
            if let Some(answer) = answer {
                assert!([404, 413].contains(&answer.status), "{path}: {answer:?}");
            }
        }
    }
    let after = machine.vitals();
    assert!(after.peak_kib - before.peak_kib < 32 * 1024, "{before:?} became {after:?}");
    assert_eq!(machine.get("/v1/status").await.status, 200);
}

/// Neither a web page nor a container reaches what listens on no port (CVE-2025-9074).
#[tokio::test]
async fn the_daemon_has_no_port_but_that_of_an_open_sign_in_on_loopback() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    assert_eq!(listening_ports(&world.machine), [""; 0]);
    let start = json!({"kind": "interactive", "scopes": ["https://graph.contoso.com/Files.Read"]});
    let flow = caller.start_flow(start).await.success();
    let open = listening_ports(&world.machine);
    assert!(!open.is_empty());
    assert!(open.iter().all(|address| LOOPBACK.contains(&address.as_str())), "{open:?}");
    let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
    caller.connection.delete(&path).await.success();
    patiently("the port to close", async {
        while !listening_ports(&world.machine).is_empty() {
            world.machine.status().await;
        }
    })
    .await;
}

/// 127.0.0.1 and ::1 as the kernel writes them: words of four bytes, in the machine's order.
const LOOPBACK: [&str; 2] = ["0100007F", "00000000000000000000000001000000"];

/// The addresses at which the daemon listens or takes datagrams, from the kernel's tables; proc_pid_net(5).
fn listening_ports(machine: &Machine) -> Vec<String> {
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", machine.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let mut addresses = Vec::new();
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let rows = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap();
        for row in rows.lines().skip(1) {
            let columns: Vec<&str> = row.split_whitespace().collect();
            if columns[3] == state && own.iter().any(|inode| inode == columns[9]) {
                addresses.push(columns[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    addresses
}
