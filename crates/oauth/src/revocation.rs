//! Giving a token back (RFC 7009).

use valetkey_model::{ClientId, Secret, UnixTime};

use crate::error::{read_unless_refused, unavailable};
use crate::grant::push;
use crate::http::Form;
use crate::{Call, HttpRequest, HttpResponse, Misbehaviour, ProviderMetadata, TokenResponseError};

/// What kind of token it is, so that the provider need not search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// Ends this token alone.
    AccessToken,
    /// Ends the grant, and with most providers its access tokens too.
    RefreshToken,
}

/// The request; none when the provider has no such endpoint, as Entra.
pub fn build_revocation_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    token: &Secret,
    hint: TokenTypeHint,
    call: &Call,
) -> Option<HttpRequest> {
    let url = provider.revocation_endpoint.clone()?;
    let hint = match hint {
        TokenTypeHint::AccessToken => "access_token",
        TokenTypeHint::RefreshToken => "refresh_token",
    };
    let mut form = Form::new();
    call.authentication.push_client_id(&mut form, client_id);
    call.authentication.push_fields(&mut form, false);
    push(&mut form, "token", token.expose());
    push(&mut form, "token_type_hint", hint);
    Some(HttpRequest::post(url, call.authentication.sign(call.headers(), client_id), form))
}

/// RFC 7009 section 2.2: a success has no body worth reading, and an unknown token is one too.
///
/// # Errors
/// When the provider refused or is out of order, so that the token may still be good.
pub fn parse_revocation_response(
    response: &HttpResponse,
    now: UnixTime,
) -> Result<(), TokenResponseError> {
    let status = response.status;
    match status {
        200..=299 => Ok(()),
        500.. => Err(unavailable(response, now)),
        400.. => match read_unless_refused(response, now) {
            Ok(_) => Err(Misbehaviour::NoErrorCode { status }.into()),
            Err(error) => Err(error),
        },
        _ => Err(Misbehaviour::UnexpectedStatus { status }.into()),
    }
}

#[cfg(test)]
mod tests;
