//! Answering an authorization request: parameters to a redirect URI in one of three modes.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::entra::message::Reply;
use crate::entra::pages;
use crate::entra::random::Random;

/// Where and how a client wants its answer.
#[derive(Debug, Clone)]
pub(crate) struct ReturnAddress {
    pub(crate) redirect_uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

/// How the parameters travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the redirect URI's query.
    Query,
    /// In its fragment.
    Fragment,
    /// In the body of a form that a page submits.
    FormPost,
}

/// The answer to an authorization request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// As the client gave it.
    pub redirect_uri: String,
    /// As the client asked.
    pub response_mode: ResponseMode,
    /// `code` or `error`, `state` and the others, in order.
    pub params: Vec<(String, String)>,
}

impl Redirect {
    pub(super) fn new(address: &ReturnAddress, mut params: Vec<(String, String)>) -> Self {
        if let Some(state) = &address.state {
            params.push(("state".to_owned(), state.clone()));
        }
        Self { redirect_uri: address.redirect_uri.clone(), response_mode: address.mode, params }
    }

    /// A parameter of the answer.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The URL that a browser is sent to; for a form post, the bare redirect URI.
    pub fn url(&self) -> String {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else { return self.redirect_uri.clone() };
        match self.response_mode {
            ResponseMode::Query => {
                url.query_pairs_mut().extend_pairs(&self.params);
            }
            ResponseMode::Fragment => url.set_fragment(Some(&self.form_body())),
            ResponseMode::FormPost => {}
        }
        url.into()
    }

    /// The parameters, form-encoded.
    pub fn form_body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish()
    }

    pub(crate) fn to_reply(&self, random: &mut Random) -> Reply {
        match self.response_mode {
            ResponseMode::Query | ResponseMode::Fragment => Reply::redirect(self.url()),
            ResponseMode::FormPost => {
                pages::form_post(&self.redirect_uri, &self.params, &random.next_text(1))
            }
        }
    }
}
