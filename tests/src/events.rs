//! The stream of `GET /v1/events`.

use serde_json::Value;

use crate::connection::{Connection, patiently, request};

/// Events as they come.
pub struct Events {
    connection: Connection,
    unread: String,
}

impl Events {
    /// Listens from now on.
    ///
    /// # Panics
    /// When the daemon does not stream.
    pub async fn open(mut connection: Connection) -> Self {
        let head = patiently("the stream's head", async {
            connection.send(&request("GET", "/v1/events", "", b"")).await.unwrap();
            connection.receive_head().await.unwrap()
        });
        let head = head.await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, Some("text/event-stream")),
            "{head:?}"
        );
        Self { connection, unread: String::new() }
    }

    /// The next event's name and data; `None` at the stream's end.
    ///
    /// # Panics
    /// When none comes, or it is no event.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                match read(&event) {
                    Some(event) => return Some(event),
                    // A comment, which keeps the connection alive.
                    None => continue,
                }
            }
            let chunk = patiently("an event", self.connection.receive_chunk()).await;
            let chunk = chunk.ok().flatten()?;
            self.unread += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

fn read(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let data = serde_json::from_str(field("data")?).unwrap();
    Some((field("event")?.to_owned(), data))
}
