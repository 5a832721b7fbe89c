//! Where an application's tokens are: in the cache that the user's programs share, or in a part of the user's own that only
//! who brings the same credential or the same way to the provider, or the same program, finds again.

use sha2::{Digest, Sha256};
use url::Url;
use valetkey_engine::{AppId, ClientCredential, Definition};
use valetkey_model::{Caller, Partition};
use valetkey_proto::v1;
use zeroize::Zeroizing;

use super::Broker;
use crate::failure::Failure;
use crate::in_memory::Use;
use crate::session::{Opened, Session};

impl Broker {
    /// Where the application's tokens are, when not in the cache that the user's programs share. A confidential client's are
    /// kept apart by its credential, so that whoever brings another one finds nothing; assertions that a program makes differ
    /// from each other, so that the program itself stands for them, or where that is not told this one opening.
    pub(super) async fn place(
        &self,
        caller: &Caller,
        request: &v1::OpenAppRequest,
        definition: &Definition,
    ) -> Result<Option<Partition>, Failure> {
        let client_id = definition.client_id.as_str().as_bytes();
        let home = self.home(caller, request, definition).await?;
        let own = match (request.kind, &definition.credential) {
            (v1::ClientKind::Public | v1::ClientKind::ManagedIdentity, _) => home,
            (v1::ClientKind::Confidential, None) => {
                home.of_application(&self.mark(&[b"none", client_id]).await?)
            }
            (_, Some(ClientCredential::Secret(secret))) => {
                let parts: [&[u8]; 3] = [b"secret", client_id, secret.expose().as_bytes()];
                home.of_application(&self.mark(&parts).await?)
            }
            (_, Some(ClientCredential::Certificate(certificate))) => {
                let fingerprint = certificate.fingerprint();
                let parts: [&[u8]; 3] = [b"certificate", client_id, fingerprint.as_bytes()];
                home.of_application(&self.mark(&parts).await?)
            }
            (_, Some(ClientCredential::Assertion(_) | ClientCredential::AssertionCallback)) => home
                .in_memory(&match caller.process {
                    Some(_) => of_process(caller, b"assertion"),
                    None => self.engine.new_id(),
                }),
        };
        let place = match &request.private_cache {
            Some(name) => own.private(&of_process(caller, name.as_bytes())),
            None => own,
        };
        Ok((place != caller.partition).then_some(place))
    }

    /// The user's partition, or what came by the way that a program brought: whoever is at the end of that must not be sent
    /// the refresh tokens of others. Nor does a Cloud Shell that a program names say who is who in the cache that all share. A
    /// private cache is its program's to send anywhere.
    async fn home(
        &self,
        caller: &Caller,
        request: &v1::OpenAppRequest,
        definition: &Definition,
    ) -> Result<Partition, Failure> {
        if request.private_cache.is_some() {
            return Ok(caller.partition.clone());
        }
        let way = definition.route.as_ref().and_then(|route| route.way());
        let shell = definition.cloud_shell.as_ref().map(Url::as_str);
        let parts: Vec<&[u8]> = [("way", way.as_deref()), ("cloud shell", shell)]
            .into_iter()
            .filter_map(|(kind, text)| Some([kind.as_bytes(), text?.as_bytes()]))
            .flatten()
            .collect();
        Ok(match parts.is_empty() {
            true => caller.partition.clone(),
            false => caller.partition.of_application(&self.mark(&parts).await?),
        })
    }

    /// Takes a part of the user's partition into use.
    pub(super) async fn enter(&self, session: &Session, place: &Partition) -> Result<Use, Failure> {
        let (in_use, replaced) = self.in_memory.enter(session.caller(), place)?;
        if let Some(replaced) = replaced {
            self.leave(&session.caller().partition, replaced).await;
        }
        Ok(in_use)
    }

    /// Has this connection know what another one of the same process has opened: who opens a connection for each request has
    /// brought the credential all the same. What the configuration declares is decided on anew, for this connection's program.
    pub(super) async fn recall(&self, session: &Session, app: &AppId) -> Result<(), Failure> {
        let caller = session.caller();
        let shared = || self.engine.find_user(&caller.partition)?.find_app(app);
        if session.find(app).is_some() || shared().is_some() {
            return Ok(());
        }
        match self.in_memory.find_opening(caller, app) {
            None => {}
            Some((_, Some(name))) => {
                let in_force = self.configuration.look(self.engine.now()).await;
                self.open_declared(session, &in_force, &name).await?;
            }
            Some((partition, None)) => {
                let in_use = self.enter(session, &partition).await?;
                session.remember(app.clone(), Opened { partition, in_use, declared: None });
            }
        }
        Ok(())
    }

    /// The same for all that the process has opened. What it may not use any more is not there.
    pub async fn recall_all(&self, session: &Session) {
        for app in self.in_memory.openings_of(session.caller()) {
            let _ = self.recall(session, &app).await;
        }
    }

    /// Closes an application for the caller's process. What is nowhere but in memory is forgotten; another place may still be
    /// in use by others.
    pub fn close(&self, session: &Session, app: &AppId, place: Option<&Partition>) {
        session.forget(app);
        self.in_memory.forget_opening(session.caller(), app);
        if let Some(place) = place.filter(|place| place.is_in_memory()) {
            self.in_memory.close(place);
            self.engine.forget_in_memory(place);
        }
    }

    /// Takes out of memory what nobody uses any more.
    pub async fn sweep_in_memory(&self) {
        for (user, place) in self.in_memory.sweep(self.engine.now()) {
            self.leave(&user, place).await;
        }
    }

    async fn leave(&self, user: &Partition, place: Partition) {
        if place.is_in_memory() {
            self.engine.forget_in_memory(&place);
        } else if !self.engine.unload(&place).await {
            self.in_memory.put_back(user, place);
        } else if place == *user {
            self.consent.put_away(user);
        }
    }

    pub(super) async fn mark(&self, parts: &[&[u8]]) -> Result<String, Failure> {
        let mut text = Zeroizing::new(Vec::new());
        for part in parts {
            text.extend((part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        }
        Ok(hex(&self.engine.mark(&text).await?))
    }
}

/// Names something of one process, among those of its user: another one that is given its number is not it.
pub(super) fn of_process(caller: &Caller, what: &[u8]) -> String {
    let program = caller.program.as_deref().map(|path| path.as_os_str().as_encoded_bytes());
    let process = caller.process.map(|id| (id.number, id.started)).unwrap_or_default();
    let (number, started) = (process.0.to_le_bytes(), process.1.to_le_bytes());
    let mut digest = Sha256::new();
    for part in [&number[..], &started[..], program.unwrap_or_default(), what] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
