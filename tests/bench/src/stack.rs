//! The same exchange through what the daemon is built on (tokio, hyper, axum), with a fixed answer behind: how much of a
//! hit is the stack's.

use std::path::Path;
use std::process::Child;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path as PathOf;
use axum::http::header;
use axum::routing::post;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tower::Service as _;

use crate::Outcome;
use crate::ping_pong::{Caller, start_role};
use crate::relay::Exchange;

/// The first argument that makes this program the answering process.
pub(crate) const ROLE: &str = "as-stack";

/// The answering process.
pub(crate) struct Stack(Child);

impl Stack {
    /// Starts it at this path, and connects.
    pub(crate) fn start(socket: &Path, seen: &Exchange) -> Outcome<(Self, Caller)> {
        let (child, mut stream) = start_role(ROLE, socket, &[seen.body_length()])?;
        std::io::Write::write_all(&mut stream, &seen.request)?;
        let mut answer = vec![0; 64 * 1024];
        let length = std::io::Read::read(&mut stream, &mut answer)?;
        Ok((Self(child), Caller::over(stream, seen.request.clone(), length)))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answering process.
pub(crate) fn serve(arguments: &[String]) -> Outcome {
    let [socket, body] = arguments else {
        return Err("the stack wants a socket and a size".into());
    };
    let body = Bytes::from(vec![b'a'; body.parse()?]);
    let answer = move |PathOf(_app): PathOf<String>, _request: Bytes| {
        let content_type = (header::CONTENT_TYPE, "application/json");
        let answer = ([content_type, (header::CACHE_CONTROL, "no-store")], body.clone());
        async move { answer }
    };
    let router = Router::new().route("/v1/apps/{app}/token", post(answer));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve_connection(stream, router.clone()));
        }
    })
}

async fn serve_connection(stream: UnixStream, router: Router) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move { router.call(request).await }
    });
    let mut server = http1::Builder::new();
    server.auto_date_header(false);
    // A caller that went away is no error.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
