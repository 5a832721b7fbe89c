//! Which step failed, in words for a person and without a URL's query.

use std::error::Error;
use std::io;
use std::time::Duration;

use valetkey_engine::ports::TransportError;

/// How long things may take, and what their proxy is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) total: Duration,
    /// Empty where none is taken.
    pub(super) proxy: &'static str,
}

/// Turns reqwest's error into ours.
pub(super) fn explain(error: &reqwest::Error, host: &str, limits: &Limits) -> TransportError {
    let host = host.to_owned();
    if error.is_connect() && error.is_timeout() {
        let reason = format!("no connection within {} s", limits.connect.as_secs());
        TransportError::Connect { host, reason }
    } else if error.is_timeout() {
        // A part of a second is told as the whole one.
        let seconds = limits.total.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        TransportError::TimedOut { host, seconds }
    } else if error.is_connect() || error.is_builder() {
        TransportError::Connect { host, reason: name_step(error, limits.proxy) }
    } else {
        TransportError::Interrupted { host, reason: innermost(error) }
    }
}

/// The step of connecting that failed, and how.
fn name_step(error: &reqwest::Error, proxy: &str) -> String {
    let cause = innermost(error);
    for layer in layers(error) {
        if let Some(tls) = layer.downcast_ref::<rustls::Error>() {
            return name_tls_failure(tls);
        }
        let text = layer.to_string();
        // The two layers that hyper-util tells apart by their words alone.
        if text.contains("dns error") {
            return format!("the name cannot be resolved ({cause})");
        }
        if text.contains("tunnel error") || text.contains("proxy") {
            return format!("{proxy} failed ({cause})");
        }
    }
    let kind =
        layers(error).find_map(|layer| layer.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
            format!("no route ({cause})")
        }
        _ => cause,
    }
}

fn name_tls_failure(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(problem) => format!(
            "TLS: the certificate is not trusted ({problem}); if your network inspects TLS, name its root \
             certificate in SSL_CERT_FILE"
        ),
        other => format!("TLS: {other}"),
    }
}

/// The words of the cause at the bottom, which have no URL in them.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    layers(error).last().map_or_else(|| "unknown cause".to_owned(), ToString::to_string)
}

/// The causes below reqwest's own layer, whose text has the URL. An `io::Error` hides what it wraps from `source`.
fn layers<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |layer| cause_of(*layer))
}

fn cause_of<'a>(layer: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => layer.source(),
    }
}
