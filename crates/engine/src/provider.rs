//! Finding out a provider's endpoints: when first needed, kept for a day, and never in the way of a cached token.

use std::sync::Arc;

use valetkey_cache::{Change, Document, Entry};
use valetkey_model::UnixTime;
use valetkey_oauth::{
    DiscoveryError, HttpRequest, HttpResponse, ProviderMetadata, build_discovery_request,
    build_instance_discovery_request, parse_instance_discovery, parse_provider_metadata,
};

use crate::application::{ClientApplication, InstanceDiscovery};
use crate::engine::Engine;
use crate::error::Error;
use crate::user::User;

/// How long metadata are believed, in seconds. After that they are asked for again, and used all the same when the
/// provider cannot be reached.
const FRESH_SECONDS: i64 = 24 * 3600;

impl Engine {
    /// The provider's metadata: known, stored, or asked for.
    pub(crate) async fn discover(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Result<Arc<ProviderMetadata>, Error> {
        let request = build_discovery_request(&app.definition().authority);
        let stored = user.cache().document(request.url.as_str()).cloned();
        if let Some(document) = &stored
            && is_fresh(document, self.now())
        {
            if let Some(metadata) = app.known_metadata() {
                return Ok(metadata);
            }
            if let Ok(metadata) = read_document(app, document) {
                app.remember_metadata(&metadata);
                return Ok(metadata);
            }
        }
        match self.fetch_metadata(user, app, request).await {
            Ok(metadata) => Ok(metadata),
            Err(
                error
                @ (Error::Transport(_) | Error::Discovery(DiscoveryError::Unavailable { .. })),
            ) => stored.and_then(|document| read_document(app, &document).ok()).ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// The realm that tokens of this application are cached under, as far as it is known without asking the provider.
    pub(crate) fn known_metadata(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Option<Arc<ProviderMetadata>> {
        app.known_metadata().or_else(|| {
            let request = build_discovery_request(&app.definition().authority);
            let document = user.cache().document(request.url.as_str()).cloned()?;
            let metadata = read_document(app, &document).ok()?;
            app.remember_metadata(&metadata);
            Some(metadata)
        })
    }

    async fn fetch_metadata(
        &self,
        user: &User,
        app: &ClientApplication,
        request: HttpRequest,
    ) -> Result<Arc<ProviderMetadata>, Error> {
        let authority = &app.definition().authority;
        let vouched = authority.has_well_known_host() || authority.is_known_to_developer();
        let request = if vouched
            || app.definition().instance_discovery == InstanceDiscovery::Disabled
        {
            request
        } else {
            let answer = self.send(user, build_instance_discovery_request(authority, None)).await?;
            let url = parse_instance_discovery(authority, &answer)?;
            HttpRequest::get(url)
        };
        let url = build_discovery_request(authority).url;
        let answer = self.send(user, request).await?;
        let metadata = Arc::new(parse_provider_metadata(authority, &answer)?);
        app.remember_metadata(&metadata);
        self.keep_document(user, url.as_str(), &answer).await;
        Ok(metadata)
    }

    /// Keeps the document, so that a restart needs no network. Failing to is no failure of the request.
    async fn keep_document(&self, user: &User, url: &str, answer: &HttpResponse) {
        let Ok(body) = std::str::from_utf8(&answer.body) else { return };
        let document = Document { url: url.into(), fetched_at: self.now(), body: body.into() };
        let change = Change::Put(Entry::Document(Arc::new(document)));
        if let Err(error) = user.commit(&*self.ports.store, |_| vec![change]).await {
            tracing::warn!(%error, "provider metadata could not be saved");
        }
    }
}

fn is_fresh(document: &Document, now: UnixTime) -> bool {
    let age = now.seconds_since(document.fetched_at);
    (0..FRESH_SECONDS).contains(&age)
}

fn read_document(
    app: &ClientApplication,
    document: &Document,
) -> Result<Arc<ProviderMetadata>, Error> {
    let answer = HttpResponse {
        status: 200,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::copy_from_slice(document.body.as_bytes()),
    };
    Ok(Arc::new(parse_provider_metadata(&app.definition().authority, &answer)?))
}
