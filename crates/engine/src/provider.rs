//! Finding out a provider's endpoints: when first needed, kept for a day, and never in the way of a cached token.

use std::sync::Arc;

use valetkey_cache::Document;
use valetkey_model::UnixTime;
use valetkey_oauth::{
    DiscoveryError, HttpRequest, HttpResponse, ProviderMetadata, build_discovery_request,
    build_instance_discovery_request, parse_date, parse_instance_discovery,
    parse_provider_metadata, reduce_provider_metadata,
};
use valetkey_policy::Authorized;

use crate::application::{ClientApplication, Definition, InstanceDiscovery};
use crate::engine::Engine;
use crate::error::Error;
use crate::flight::Landed;
use crate::user::User;

/// How long metadata are believed, in seconds. After that they are asked for again, and used all the same when the
/// provider cannot be reached.
const FRESH_SECONDS: i64 = 24 * 3600;

/// Of how many authorities metadata are kept.
const MAX_DOCUMENTS: usize = 256;

impl Engine {
    /// The provider's metadata: known, stored, or asked for, for which N callers make one request.
    pub(crate) async fn discover(
        self: &Arc<Self>,
        user: &Arc<User>,
        app: &Arc<ClientApplication>,
    ) -> Result<Arc<ProviderMetadata>, Error> {
        let stored = find_document(user, app);
        if let Some(document) = stored.filter(|document| is_fresh(document, self.now())) {
            if let Some(metadata) = app.known_metadata() {
                return Ok(metadata);
            }
            if let Ok(metadata) = read_document(app, &document) {
                app.remember_metadata(&metadata);
                return Ok(metadata);
            }
        }
        let key = (app.definition().authority.clone(), document_name(app));
        let flight = || {
            let (this, user, app) = (Arc::clone(self), Arc::clone(user), Arc::clone(app));
            async move {
                let outcome = this.fetch_or_reuse_metadata(&user, &app).await;
                Landed { outcome, good_until: None }
            }
        };
        let landed = user.discoveries.join(key, self.now(), flight).await;
        let metadata = landed.unwrap_or(Err(Error::Bug("a discovery died")))?;
        app.remember_metadata(&metadata);
        Ok(metadata)
    }

    /// Asks the provider; while it is out of order, what it said before is good enough.
    async fn fetch_or_reuse_metadata(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Result<Arc<ProviderMetadata>, Error> {
        let stored = find_document(user, app);
        match self.fetch_metadata(user, app).await {
            Err(
                error
                @ (Error::Transport(_) | Error::Discovery(DiscoveryError::Unavailable { .. })),
            ) => stored.and_then(|document| read_document(app, &document).ok()).ok_or(error),
            outcome => outcome,
        }
    }

    /// The realm that tokens of this application are cached under, as far as it is known without asking the provider.
    pub(crate) fn known_metadata(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Option<Arc<ProviderMetadata>> {
        app.known_metadata().or_else(|| {
            let document = find_document(user, app)?;
            let metadata = read_document(app, &document).ok()?;
            app.remember_metadata(&metadata);
            Some(metadata)
        })
    }

    async fn fetch_metadata(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Result<Arc<ProviderMetadata>, Error> {
        let reduced = reduce_provider_metadata(&self.ask_for_metadata(app.definition()).await?)?;
        let metadata = parse_provider_metadata(&app.definition().authority, &reduced)?;
        self.keep_document(user, &document_name(app), &reduced).await;
        Ok(Arc::new(metadata))
    }

    /// Whether the provider of an application can be reached and answers as one, and what time it is there. Nothing is kept.
    ///
    /// # Errors
    /// As a sign-in would fail.
    pub async fn probe(&self, wanted: &Authorized<Definition>) -> Result<Option<UnixTime>, Error> {
        let definition = wanted.request();
        let answer = self.ask_for_metadata(definition).await?;
        parse_provider_metadata(&definition.authority, &reduce_provider_metadata(&answer)?)?;
        Ok(parse_date(&answer.headers))
    }

    async fn ask_for_metadata(&self, definition: &Definition) -> Result<HttpResponse, Error> {
        let authority = &definition.authority;
        // Not by way of the HTTP cache: what is of use is kept as the authority's document, and a sign-in page of a hotel's
        // network is not to stand in the provider's place.
        let get = |request| self.ports.http.send(request, definition.route.as_ref());
        let request = if asks_about_host(definition) {
            let endpoint = match &definition.instance_discovery {
                InstanceDiscovery::At(url) => Some(url),
                InstanceDiscovery::Enabled | InstanceDiscovery::Disabled => None,
            };
            let answer = get(build_instance_discovery_request(authority, endpoint)).await?;
            HttpRequest::get(parse_instance_discovery(authority, &answer)?)
        } else {
            build_discovery_request(authority)
        };
        Ok(get(request).await?)
    }

    /// Keeps the document, so that a restart needs no network. Failing to is no failure of the request.
    async fn keep_document(&self, user: &User, name: &str, answer: &HttpResponse) {
        let Ok(body) = std::str::from_utf8(&answer.body) else { return };
        let document = Document { url: name.into(), fetched_at: self.now(), body: body.into() };
        let saved = async {
            let lease = self.lease(user).await?;
            user.commit(&lease, |cache| cache.plan_document(document, MAX_DOCUMENTS)).await
        };
        if let Err(error) = saved.await {
            tracing::warn!(%error, "provider metadata could not be saved");
        }
    }
}

/// Whether Microsoft, or another endpoint in its place, is asked about the host first: one that it is not known to have, and
/// that nobody vouches for.
pub(crate) fn asks_about_host(definition: &Definition) -> bool {
    let vouched =
        definition.authority.has_well_known_host() || definition.authority.is_known_to_developer();
    !vouched && definition.instance_discovery != InstanceDiscovery::Disabled
}

/// The name that the authority's document is kept under. Two kinds are other documents, though they have the same URL: what
/// came by a route of an application's own, since nobody else trusts whom that application trusts; and what Microsoft, or
/// whoever in its place, was asked about, since who wants that must not be served what another application did without.
fn document_name(app: &ClientApplication) -> String {
    let mut name = String::from(build_discovery_request(&app.definition().authority).url);
    if let Some(route) = app.route() {
        name = format!("{name}#{}", route.id());
    }
    if asks_about_host(app.definition()) {
        name += "#instance-discovery";
        if let InstanceDiscovery::At(endpoint) = &app.definition().instance_discovery {
            name = format!("{name}#{endpoint}");
        }
    }
    name
}

fn find_document(user: &User, app: &ClientApplication) -> Option<Arc<Document>> {
    user.cache().document(&document_name(app)).cloned()
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
