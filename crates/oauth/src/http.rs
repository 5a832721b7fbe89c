//! HTTP messages as values. Whoever holds a connection sends and receives them; this crate only builds and reads them.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;
use zeroize::Zeroizing;

/// A request to a provider. The body may have secrets in it, so `Debug` shows the method and the URL without its query,
/// and no more.
#[derive(Clone)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// Where to, with its query.
    pub url: Url,
    /// Beside what the HTTP client sets by itself (host, content type and length).
    pub headers: HeaderMap,
    /// None on a GET.
    pub body: Body,
    /// True when a success has a token in it, so that no cache may keep the answer.
    pub asks_for_token: bool,
}

/// What a request carries.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
    Form(Form),
    /// Text that is sent as it is.
    Text {
        /// Its media type.
        content_type: &'static str,
        /// The text.
        text: Zeroizing<String>,
        /// Whose request it is, in the place of a form's fields: no two texts are alike, so that nothing else tells one
        /// user's requests from another's.
        user: String,
    },
}

/// Names and values of a form, in the order in which they go over the wire.
pub type Form = Vec<(Cow<'static, str>, Zeroizing<String>)>;

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
    /// A GET without headers, of something that is no secret.
    pub fn get(url: Url) -> Self {
        let (headers, body) = (HeaderMap::new(), Body::None);
        Self { method: Method::GET, url, headers, body, asks_for_token: false }
    }

    /// A POST of a form.
    pub fn post(url: Url, headers: HeaderMap, form: Form) -> Self {
        Self { method: Method::POST, url, headers, body: Body::Form(form), asks_for_token: true }
    }

    /// The form's fields; none when the body is no form.
    pub fn form(&self) -> &[(Cow<'static, str>, Zeroizing<String>)] {
        match &self.body {
            Body::Form(fields) => fields,
            Body::None | Body::Text { .. } => &[],
        }
    }

    /// The first value of the form's field `name`.
    pub fn form_value(&self, name: &str) -> Option<&str> {
        self.form().iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
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
