//! The pages that end a sign-in in the browser. They stand alone: no script, no picture, nothing from elsewhere.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use valetkey_engine::ports::Page;
use valetkey_model::steers_display;

/// The page for what the flow decided.
pub(super) fn respond(page: &Page) -> Response<Full<Bytes>> {
    match page {
        Page::SignedIn => html(
            StatusCode::OK,
            &Text {
                kind: "done",
                title: "You are signed in",
                detail: "",
                advice: "You can close this window and go back to the application.",
            },
        ),
        Page::Refused(reason) => html(
            StatusCode::BAD_REQUEST,
            &Text {
                kind: "refused",
                title: "Sign-in did not succeed",
                detail: reason,
                advice: "Go back to the application and try again. If it happens again, show this message to whoever \
                         looks after the application or your account.",
            },
        ),
        Page::Stale => html(
            StatusCode::GONE,
            &Text {
                kind: "stale",
                title: "This sign-in is over",
                detail: "",
                advice: "It was finished, cancelled, or took too long. Go back to the application and start again.",
            },
        ),
    }
}

/// A short answer to what is no redirect at all.
pub(super) fn refuse(status: StatusCode) -> Response<Full<Bytes>> {
    let reason = status.canonical_reason().unwrap_or("refused");
    respond_with(status, "text/plain; charset=utf-8", format!("{reason}\n"))
}

struct Text<'a> {
    kind: &'a str,
    title: &'a str,
    detail: &'a str,
    advice: &'a str,
}

fn html(status: StatusCode, text: &Text<'_>) -> Response<Full<Bytes>> {
    let detail = match text.detail {
        "" => String::new(),
        detail => format!("<p class=\"detail\">{}</p>", escape(detail)),
    };
    let body = TEMPLATE
        .replace("{kind}", text.kind)
        .replace("{title}", text.title)
        .replace("{advice}", text.advice)
        // Last, so that nothing in the provider's words is taken for a place to fill.
        .replace("{detail}", &detail);
    respond_with(status, "text/html; charset=utf-8", body)
}

fn respond_with(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The reason comes from a provider, or from whoever made the person open a link.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().take(DETAIL_LIMIT) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Direction marks among them could make the text read as another.
            other if steers_display(other) => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

const TEMPLATE: &str = include_str!("pages/page.html");
const DETAIL_LIMIT: usize = 1000;
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_stays_text() {
        for (text, expected) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a \"quoted\" & 'single'", "a &quot;quoted&quot; &amp; &#39;single&#39;"),
            ("line\nbreak\u{202e}", "line break "),
        ] {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(escape(&"x".repeat(5000)).len(), DETAIL_LIMIT);
    }

    #[test]
    fn every_place_of_the_template_is_filled() {
        for page in [Page::SignedIn, Page::Refused("{advice}".to_owned()), Page::Stale] {
            let text = match &page {
                Page::Refused(_) => "{advice}</p>",
                _ => "</html>",
            };
            let body = format!("{:?}", respond(&page).body());
            assert!(body.contains(text), "{body}");
            assert!(!body.contains("{title}") && !body.contains("{detail}"), "{body}");
        }
    }
}
