//! HTTP messages as values. Whoever holds a connection sends and receives them; this crate only builds and reads them.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;
use zeroize::Zeroizing;

/// A request to a provider.
///
/// `form` is the body, in the order it goes over the wire (`application/x-www-form-urlencoded`, RFC 6749 appendix B);
/// empty on a GET. Its values may be secrets, so `Debug` shows the method and the URL without its query, and no more.
#[derive(Clone)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// Where to, with its query.
    pub url: Url,
    /// Beside what the HTTP client sets by itself (host, content type and length).
    pub headers: HeaderMap,
    /// Names and values of the body.
    pub form: Vec<(&'static str, Zeroizing<String>)>,
}

/// A provider's answer, whatever its status. The body may be a secret: `Debug` shows the status alone.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, already limited in size by the HTTP client.
    pub body: Bytes,
}

impl HttpRequest {
    /// A GET without headers.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), form: Vec::new() }
    }

    /// A POST of a form.
    pub fn post(
        url: Url,
        headers: HeaderMap,
        form: Vec<(&'static str, Zeroizing<String>)>,
    ) -> Self {
        Self { method: Method::POST, url, headers, form }
    }

    /// The first value of the form's field `name`.
    pub fn form_value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        write!(f, "HttpRequest({} {url})", self.method)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({})", self.status)
    }
}

#[cfg(test)]
impl HttpResponse {
    /// An answer without headers.
    pub(crate) fn test(status: u16, body: &str) -> Self {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Self { status, headers: HeaderMap::new(), body }
    }
}
