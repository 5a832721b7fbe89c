//! Managed identities: who may have the tokens that the platform gives to the machine's programs.

use std::sync::Arc;

use valetkey_engine::{
    AppId, ManagedIdentityApplication, ManagedIdentityDefinition, TokenAnswer, User,
};
use valetkey_model::{Caller, CorrelationId, Partition, Secret};
use valetkey_oauth::ManagedIdentitySource;
use valetkey_policy::decide_on_machine;
use valetkey_proto::v1::{self, AuditAct};

use super::Broker;
use super::place::of_process;
use crate::audit::Deed;
use crate::failure::Failure;
use crate::from_wire;
use crate::session::{self, Session};

/// A managed identity that a request named, and whose it is.
pub struct OpenedIdentity {
    /// Whose.
    pub user: Arc<User>,
    /// Which.
    pub app: Arc<ManagedIdentityApplication>,
}

impl Broker {
    /// Opens a managed identity. No network.
    ///
    /// # Errors
    /// When the definition cannot be, or its source is elsewhere.
    pub async fn open_managed_identity(
        &self,
        session: &Session,
        request: &v1::OpenAppRequest,
    ) -> Result<OpenedIdentity, Failure> {
        let caller = session.caller();
        let definition = from_wire::managed_identity(request, caller.partition.clone())?;
        let in_force = self.configuration.look(self.engine.now()).await;
        let asker = self.asker(session, &in_force).await?;
        let mut definition = decide_on_machine(in_force.policy(), &asker, definition)
            .map_err(|denial| self.deny(session, denial))?
            .into_request();
        definition.partition = self.place_of_identity(caller, request, &definition).await?;
        let place = definition.partition.clone();
        let in_use = self.enter(session, &place).await?;
        let user = self.engine.user(&place).await?;
        let app = user.open_managed_identity(definition)?;
        self.in_memory.note_opening(caller, &place, app.id(), None);
        let opened = session::Opened { partition: place, in_use, declared: None };
        session.remember(app.id().clone(), opened);
        Ok(OpenedIdentity { user, app })
    }

    /// Where a managed identity's tokens are: apart from all others by its source and by the secret that the platform knows
    /// the program by. Two services of one user may have two identities, and both call it the system's.
    async fn place_of_identity(
        &self,
        caller: &Caller,
        request: &v1::OpenAppRequest,
        definition: &ManagedIdentityDefinition,
    ) -> Result<Partition, Failure> {
        let source = &definition.source;
        let endpoint = source.endpoint();
        let secret = secret_of(source).map_or("", Secret::expose);
        let parts = ["managed identity", source.kind().name(), endpoint.as_str(), secret];
        let own = caller.partition.of_application(&self.mark(&parts.map(str::as_bytes)).await?);
        Ok(match &request.private_cache {
            Some(name) => own.in_memory(&of_process(caller, name.as_bytes())),
            None => own,
        })
    }

    /// The managed identity with this id, if the caller's process has opened it.
    ///
    /// # Errors
    /// When what the process has opened under this id, whatever it is, may not be used any more.
    pub async fn find_managed_identity(
        &self,
        session: &Session,
        id: &str,
    ) -> Result<Option<OpenedIdentity>, Failure> {
        let id = AppId::from_text(id);
        self.recall(session, &id).await?;
        Ok(self.opened_identity(session, &id))
    }

    /// The managed identity with this id, if this connection knows of it.
    pub fn opened_identity(&self, session: &Session, id: &AppId) -> Option<OpenedIdentity> {
        let user = self.engine.find_user(&session.find(id)?)?;
        let app = user.find_managed_identity(id)?;
        Some(OpenedIdentity { user, app })
    }

    /// Its token for a resource.
    ///
    /// # Errors
    /// When there is none, or the request cannot be.
    pub async fn acquire_for_managed_identity(
        &self,
        session: &Session,
        opened: OpenedIdentity,
        request: v1::TokenRequest,
        correlation_id: CorrelationId,
    ) -> Result<TokenAnswer, Failure> {
        self.configuration.keep_up(self.engine.now()).await;
        let OpenedIdentity { user, app } = opened;
        let request = from_wire::resource_token_request(app, request, correlation_id)?;
        let in_force = self.configuration.in_force();
        let asker = self.asker(session, &in_force).await?;
        let authorized = decide_on_machine(in_force.policy(), &asker, request)
            .map_err(|denial| self.deny(session, denial))?;
        let answer = self.engine.acquire_token_for_managed_identity(&user, &authorized).await?;
        let deed = Deed::new(AuditAct::TokenGiven).with(&answer).because("managed identity");
        self.note(session, &deed);
        Ok(answer)
    }
}

fn secret_of(source: &ManagedIdentitySource) -> Option<&Secret> {
    match source {
        ManagedIdentitySource::ServiceFabric(it) => Some(&it.secret),
        ManagedIdentitySource::AppService(it) => Some(&it.secret),
        ManagedIdentitySource::MachineLearning(it) => Some(&it.secret),
        ManagedIdentitySource::AzureArc(_)
        | ManagedIdentitySource::CloudShell
        | ManagedIdentitySource::Imds(_) => None,
    }
}
