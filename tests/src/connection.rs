//! HTTP/1.1 by hand: says whatever it is told to, and reads answers as they come.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What bytes go over.
trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// One connection to a server, for requests one after another.
pub struct Connection {
    transport: Box<dyn Transport>,
    unread: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// As it came, without the chunks.
    pub body: Vec<u8>,
}

/// Long enough for a busy machine; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `work` brings, unless it hangs.
///
/// # Panics
/// When it hangs.
pub async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} took longer than {} s", PATIENCE.as_secs()),
    }
}

impl Connection {
    /// Speaks over this.
    pub fn over(transport: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { transport: Box::new(transport), unread: Vec::new() }
    }

    /// `GET`, answered.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(&request("GET", path, "", b"")).await
    }

    /// `DELETE`, answered.
    pub async fn delete(&mut self, path: &str) -> Answer {
        self.ask(&request("DELETE", path, "", b"")).await
    }

    /// `POST` of JSON, answered.
    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask(&post(path, body)).await
    }

    /// Sends these bytes and reads an answer.
    ///
    /// # Panics
    /// When the connection ends before it.
    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        let answered = self.try_ask(request).await;
        answered.unwrap_or_else(|error| {
            panic!("no answer to {}: {error}", String::from_utf8_lossy(head_line(request)))
        })
    }

    /// As [`Self::ask`], for a server that may die meanwhile.
    pub async fn try_ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        patiently("an answer", async {
            self.send(request).await?;
            self.receive().await
        })
        .await
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transport.write_all(bytes).await?;
        self.transport.flush().await
    }

    /// Says that nothing more will be sent.
    pub async fn finish_sending(&mut self) -> io::Result<()> {
        self.transport.shutdown().await
    }

    /// Reads one answer.
    pub async fn receive(&mut self) -> io::Result<Answer> {
        let mut answer = self.receive_head().await?;
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.receive_chunk().await? {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            answer.body = self.take(length).await?;
        }
        Ok(answer)
    }

    /// What is sent until the server closes the connection.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut all = std::mem::take(&mut self.unread);
        match self.transport.read_to_end(&mut all).await {
            // A server that closes while bytes of ours are on the way resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(all),
            outcome => outcome.map(|_| all),
        }
    }

    pub(crate) async fn receive_head(&mut self) -> io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let line = self.take_line().await?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let headers = lines
            .filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect();
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// The next chunk, `None` at the end (RFC 9112 section 7.1).
    pub(crate) async fn receive_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.take_line().await?;
        let length = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        let chunk = self.take(length).await?;
        self.take_line().await?;
        Ok((length > 0).then_some(chunk))
    }

    async fn take_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                self.unread.drain(..end + 2);
                return Ok(line);
            }
            self.read_more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.read_more().await?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.transport.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{}: {error}: {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// The body as JSON, of an answer that says yes.
    ///
    /// # Panics
    /// When it says no.
    pub fn success(&self) -> Value {
        let said = String::from_utf8_lossy(&self.body);
        assert!((200..300).contains(&self.status), "{}: {said}", self.status);
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Status and `error` of an answer that says no.
    ///
    /// # Panics
    /// When it says yes, or when it is not the one error body of all.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert!(self.status >= 400, "{}: {body}", self.status);
        assert!(!text("error_description").is_empty(), "{body}");
        assert!(!text("correlation_id").is_empty(), "{body}");
        (self.status, text("error"))
    }
}

/// A request with the `Host` of our own clients. `headers` ends each of its lines with CR LF.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: valetkey\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// A `POST` of JSON.
pub fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    request("POST", path, &headers, body.as_bytes())
}

fn head_line(request: &[u8]) -> &[u8] {
    request.split(|byte| *byte == b'\r').next().unwrap_or_default()
}
