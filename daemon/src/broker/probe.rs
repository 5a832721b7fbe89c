//! A look at the providers that the caller's applications would speak to.

use valetkey_engine::Definition;
use valetkey_model::UnixTime;

use super::Broker;
use crate::failure::Failure;
use crate::from_wire;
use crate::session::Session;

impl Broker {
    /// What defines the applications that the caller has open, and those of the configuration, whose credentials play no part.
    pub async fn definitions(&self, session: &Session) -> Vec<Definition> {
        let in_force = self.configuration.in_force();
        let declared = self.apps_known_to(session, &in_force).await.unwrap_or_default();
        let declared = declared.into_iter();
        let mut definitions: Vec<_> =
            declared.filter_map(|(_, app)| from_wire::definition(&app.definition()).ok()).collect();
        if let Ok(user) = self.user(session).await {
            let open = self.open_apps(&user);
            definitions.extend(open.iter().map(|app| app.definition().clone()));
        }
        definitions
    }

    /// Whether a provider can be reached, and what time it is there.
    ///
    /// # Errors
    /// When the policy says no, or as a sign-in would fail.
    pub async fn probe(
        &self,
        session: &Session,
        definition: Definition,
    ) -> Result<Option<UnixTime>, Failure> {
        let authorized = self.decide(session, definition).await?;
        Ok(self.engine.probe(&authorized).await?)
    }
}
