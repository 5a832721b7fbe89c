//! What holds on every platform: bytes arrive, the caller is known, one daemon at a time owns the endpoint.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use valetkey_ipc::{AcceptError, BindError, ConnectError, Endpoint, Listener, Peer, Stream};

/// An endpoint of its own for each test, with the folder that it needs.
struct Place {
    endpoint: Endpoint,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let endpoint = if cfg!(windows) {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let process = std::process::id();
            Endpoint::at(format!(r"\\.\pipe\valetkey-test-{process}-{number}"))
        } else {
            Endpoint::at(folder.path().join("broker.sock"))
        };
        Self { endpoint, _folder: folder }
    }
}

async fn echo_once(listener: &Listener) -> Result<(Stream, Peer), AcceptError> {
    let (mut stream, peer) = listener.accept().await?.identify()?;
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
    Ok((stream, peer))
}

fn number_of(peer: &Peer) -> Option<u32> {
    peer.caller().process.map(|process| process.number)
}

async fn send_and_receive(endpoint: &Endpoint) -> (Stream, [u8; 5]) {
    let mut stream = valetkey_ipc::connect(endpoint).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    (stream, bytes)
}

#[tokio::test]
async fn bytes_arrive_and_the_caller_is_this_process() {
    let place = Place::new();
    let listener = Listener::bind(&place.endpoint).unwrap();
    let (served, (_, answer)) =
        tokio::join!(echo_once(&listener), send_and_receive(&place.endpoint));
    let (_, peer) = served.unwrap();
    assert_eq!(&answer, b"hello");
    assert_eq!(number_of(&peer), Some(std::process::id()));
    let caller = peer.caller();
    let kind = if cfg!(windows) { "sid:S-1-" } else { "uid:" };
    assert!(caller.partition.as_str().starts_with(kind), "{:?}", caller.partition);
    if cfg!(any(windows, target_os = "linux")) {
        let own = std::env::current_exe().unwrap();
        assert_eq!(caller.program.as_ref().unwrap().file_name(), own.file_name());
    }
}

#[tokio::test]
async fn the_second_of_two_daemons_is_told_so_and_the_first_goes_on() {
    let place = Place::new();
    let first = Listener::bind(&place.endpoint).unwrap();
    let second = Listener::bind(&place.endpoint).err();
    assert!(matches!(second, Some(BindError::AlreadyRunning { .. })), "{second:?}");
    let (served, (_, answer)) = tokio::join!(
        async {
            loop {
                // On Windows the second binder has looked who is there.
                if let Ok(served) = echo_once(&first).await {
                    break served;
                }
            }
        },
        send_and_receive(&place.endpoint)
    );
    assert_eq!((&answer, number_of(&served.1)), (b"hello", Some(std::process::id())));
}

#[tokio::test]
async fn an_endpoint_that_was_given_up_is_taken_over() {
    let place = Place::new();
    for _ in 0..3 {
        let listener = Listener::bind(&place.endpoint).unwrap();
        let (served, (_, answer)) =
            tokio::join!(echo_once(&listener), send_and_receive(&place.endpoint));
        assert!(served.is_ok());
        assert_eq!(&answer, b"hello");
    }
}

#[tokio::test]
async fn without_a_daemon_the_client_is_told_so() {
    let place = Place::new();
    let refused = valetkey_ipc::connect(&place.endpoint).await.err();
    assert!(matches!(refused, Some(ConnectError::NotRunning { .. })), "{refused:?}");
    let refused = valetkey_ipc::connect_blocking(&place.endpoint).err();
    assert!(matches!(refused, Some(ConnectError::NotRunning { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_thread_can_wait_where_there_is_no_runtime() {
    use std::io::{Read, Write};

    let place = Place::new();
    let listener = Listener::bind(&place.endpoint).unwrap();
    let endpoint = place.endpoint.clone();
    let client = tokio::task::spawn_blocking(move || {
        let mut stream = valetkey_ipc::connect_blocking(&endpoint).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    });
    let _served = echo_once(&listener).await.unwrap();
    assert_eq!(&client.await.unwrap(), b"hello");
}
