//! A browser that comes back to the daemon's loopback listener.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpStream;
use url::Url;
use valetkey_testkit::entra::{Redirect, ResponseMode};

use crate::connection::{Answer, Connection, patiently};

/// Brings a redirect to a port of loopback.
#[derive(Clone, Copy, Debug)]
pub struct Browser {
    /// Where the daemon listens for it.
    pub port: u16,
}

impl Browser {
    /// At the port that a redirect goes to.
    pub fn of(redirect: &Redirect) -> Self {
        Self { port: redirect_port(&redirect.redirect_uri) }
    }

    /// Does as the provider's redirect says.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn follow(self, redirect: &Redirect) -> io::Result<Answer> {
        match redirect.response_mode {
            ResponseMode::FormPost => self.post(&redirect.form_body()).await,
            ResponseMode::Query | ResponseMode::Fragment => self.get(&redirect.form_body()).await,
        }
    }

    /// Comes with this query.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn get(self, query: &str) -> io::Result<Answer> {
        self.ask(&format!("GET /?{query} HTTP/1.1\r\n{}\r\n", self.host())).await
    }

    /// Comes with this form.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn post(self, form: &str) -> io::Result<Answer> {
        let headers = format!(
            "{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            self.host(),
            form.len()
        );
        self.ask(&format!("POST / HTTP/1.1\r\n{headers}\r\n{form}")).await
    }

    /// Says just this.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn ask(self, request: &str) -> io::Result<Answer> {
        let stream =
            patiently("a connection", TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        Connection::over(stream.await?).try_ask(request.as_bytes()).await
    }

    fn host(self) -> String {
        format!("Host: localhost:{}\r\n", self.port)
    }
}

/// The port in a redirect URI.
///
/// # Panics
/// When there is none.
pub fn redirect_port(redirect_uri: &str) -> u16 {
    Url::parse(redirect_uri).unwrap().port().expect("a loopback redirect URI has a port")
}
