//! Listening: one owner of the endpoint, and a known caller behind every connection.

use interprocess::local_socket::tokio::Listener as RawListener;
use interprocess::local_socket::traits::tokio::Listener as _;

use crate::error::{AcceptError, BindError};
use crate::platform::{self, Claim};
use crate::{Arrival, Audience, Endpoint};

/// The daemon's end of the endpoint. Dropping it frees the name, unless it was adopted.
pub struct Listener {
    // Declared before the claim, so that the socket is closed before the next daemon may look at it.
    raw: RawListener,
    claim: Option<Claim>,
    endpoint: Endpoint,
    audience: Audience,
}

impl Listener {
    /// Binds the endpoint, for this user alone. A stale socket is replaced, a live one never.
    ///
    /// # Errors
    /// [`BindError::AlreadyRunning`] when another daemon was first; the other cases tell what to mend.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        Self::bind_for(endpoint, Audience::OwnUser)
    }

    /// As [`Self::bind`], for this audience.
    ///
    /// # Errors
    /// As [`Self::bind`], or when the platform has no endpoint for several users.
    pub fn bind_for(endpoint: &Endpoint, audience: Audience) -> Result<Self, BindError> {
        let (raw, claim) = platform::bind(endpoint, audience)?;
        Ok(Self { raw, claim: Some(claim), endpoint: endpoint.clone(), audience })
    }

    /// Serves a socket that systemd bound. The name stays systemd's: it is never unlinked here.
    ///
    /// # Errors
    /// When the descriptor cannot be watched by the runtime.
    #[cfg(unix)]
    pub fn adopt(
        inherited: crate::Inherited,
        audience: Audience,
    ) -> Result<Self, crate::AdoptError> {
        let endpoint = inherited.endpoint();
        let raw = inherited.into_raw()?;
        Ok(Self { raw, claim: None, endpoint, audience })
    }

    /// The next connection. Cancel-safe.
    ///
    /// # Errors
    /// When the peer is none of the audience or has hung up, or the system is short of something; the listener goes on either
    /// way.
    pub async fn accept(&self) -> Result<Arrival, AcceptError> {
        let raw = self.raw.accept().await.map_err(AcceptError::Io)?;
        let client = platform::Client::of(&raw, self.audience)?;
        Ok(Arrival::new(raw, client))
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// True when systemd bound the name, and will go on listening when this daemon stops.
    pub fn is_adopted(&self) -> bool {
        self.claim.is_none()
    }
}
