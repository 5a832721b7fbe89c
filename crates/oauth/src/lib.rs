//! OAuth 2.0, OpenID Connect and Entra messages as values.
//!
//! Every builder returns an [`HttpRequest`] and every parser takes an [`HttpResponse`]; this crate opens no sockets, reads
//! no files, keeps no state, and never asks for the time or for randomness: both are arguments.

mod http;

pub use self::http::{HttpRequest, HttpResponse};
