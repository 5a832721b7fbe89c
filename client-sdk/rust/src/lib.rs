//! Tokens from valetkey, for Rust programs.
//!
//! ```no_run
//! use valetkey_client::v1::{FlowKind, OpenAppRequest, StartFlowRequest, TokenRequest};
//! use valetkey_client::{Client, Error};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let client = Client::new()?;
//!     let app = client
//!         .open_app(OpenAppRequest {
//!             client_id: Some("00001111-aaaa-2222-bbbb-3333cccc4444".into()),
//!             authority: Some("https://login.microsoftonline.com/organizations".into()),
//!             ..OpenAppRequest::default()
//!         })
//!         .await?;
//!     let request = TokenRequest { scopes: vec!["User.Read".into()], ..TokenRequest::default() };
//!     let token = match app.acquire_token_silent(&request).await {
//!         Err(error) if error.is_sign_in_needed() => {
//!             let sign_in = StartFlowRequest::new(FlowKind::DeviceCode, request.scopes);
//!             let flow = app.start_flow(&sign_in).await?;
//!             println!("{}", flow.message().unwrap_or_default());
//!             client.finish_flow(flow).await?
//!         }
//!         outcome => outcome?,
//!     };
//!     println!("good for {} s", token.expires_in);
//!     Ok(())
//! }
//! ```
//!
//! [`Client`] is for tokio, [`blocking::Client`] for everything else; they have the same verbs, each in the file of its
//! route. A call goes over a kept-alive connection, is repeated once when that had been closed meanwhile, and starts
//! `valetkeyd` when nobody listens ([`Client::new`]).
//!
//! This crate has no policy, no cache and no retries of its own: all of that is the daemon's. It sees a refresh token
//! only when a person moves a cache in or out (`blocking::Client::import_cache`, `export_cache`).
//!
//! # Why HTTP by hand
//!
//! Both clients share one small reader of HTTP/1.1 (`http1`, over `httparse`) and differ in two system calls. A general
//! HTTP client hands every request over to a connection task and back, which costs more than the daemon's whole answer; a
//! blocking program would need a runtime for it. The daemon announces the length of everything but its event stream, so
//! the reader can be strict: what is not exactly an answer is an error, and the connection is not used again.

mod account;
mod app;
mod audit;
pub mod blocking;
pub mod browser;
mod cache;
mod call;
mod client;
mod connection;
mod definition;
mod diagnosis;
mod error;
mod event;
mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grant;
mod http1;
mod proof;
mod secret;
mod start;
mod status;
mod talk;
mod token;

pub use app::App;
pub use client::Client;
pub use definition::AssertionNeeded;
pub use diagnosis::{inspect_files, startable_daemon};
pub use error::{Error, NoDaemon, ProtocolError, Refusal};
pub use event::Events;
pub use valetkey_ipc::{ConnectError, Endpoint, EndpointError};
pub use valetkey_proto::v1;
