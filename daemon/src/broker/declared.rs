//! Applications that the configuration declares. A public one is as good as any that a program defines itself. A confidential
//! one brings a credential that the program never sees, and is for those alone whom its section names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use valetkey_engine::{ClientApplication, Definition, User};
use valetkey_model::FileId;
use valetkey_policy::{CallerRule, ProgramFile, admit};
use valetkey_proto::v1::{self, AuditAct, ErrorCode};

use super::{Broker, Opened};
use crate::audit::Deed;
use crate::config::{AppConfig, AppKind, UserName};
use crate::configuration::InForce;
use crate::failure::Failure;
use crate::from_wire;
use crate::secrets::LATER_SECONDS;
use crate::session::{Declared, Session};
use crate::users::find_user;

impl Broker {
    /// Opens the application of this name.
    pub(super) async fn open_declared(
        &self,
        session: &Session,
        in_force: &InForce,
        name: &str,
    ) -> Result<Opened, Failure> {
        let app = match in_force.apps().get(name) {
            Some(app) if self.may_know(session, name, app).await? => app,
            _ => return Err(self.undeclared(session, in_force, name).await?),
        };
        let mut request = app.definition();
        let Some(credential) = &app.credential else {
            let definition = self.define(name, &request)?;
            return self.open_defined(session, in_force, &request, definition, None).await;
        };
        let rule = self.caller_rule(name, app).await?;
        admit(&rule, name, session.caller())
            .inspect_err(|denial| self.note_denial(session, denial))?;
        let mut epochs = self.secrets.epochs(credential);
        let credential = self.secrets.read_credential(name, credential).await?;
        let (epoch, now) = (in_force.epoch(), self.engine().now());
        let mut definition = self.define(name, &request)?;
        definition.credential = Some(self.keys.open_declared(name, epoch, &credential, now).await?);
        request.credential = Some(credential);
        epochs.push(Arc::clone(epoch));
        let declared = Declared { name: name.to_owned(), epochs };
        self.open_defined(session, in_force, &request, definition, Some(declared)).await
    }

    /// Opens all public applications that are declared and that the policy lets this program open.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn open_public_apps(
        &self,
        session: &Session,
        in_force: &InForce,
    ) -> Result<(), Failure> {
        for (name, app) in in_force.apps() {
            if app.kind == AppKind::Public {
                match self.open_declared(session, in_force, name).await {
                    Ok(_) | Err(Failure::Denied(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }

    /// Whom an application is for at this moment: a program that was replaced by a newer one is still the program.
    async fn caller_rule(&self, name: &str, app: &AppConfig) -> Result<CallerRule, Failure> {
        let (programs, users) = (app.programs.clone(), app.users.clone());
        let look = move || CallerRule {
            programs: programs.map(|programs| programs.into_iter().map(look_at_program).collect()),
            users: users.map(|users| users.iter().filter_map(UserName::partition).collect()),
        };
        self.secrets.files().perform(name, look).await.map_err(|error| Failure::Later {
            description: format!("the programs of [apps.{name}] cannot be looked at: {error}"),
            seconds: LATER_SECONDS,
        })
    }

    /// The applications that all programs of a user have open, but for what is left of a section of the configuration that
    /// says something else by now: who has that open keeps it, and nobody else can come by it.
    pub fn open_apps(&self, user: &User) -> Vec<Arc<ClientApplication>> {
        let in_force = self.configuration.in_force();
        let is_past = |app: &ClientApplication| {
            app.definition().declared_as.is_some() && in_force.name_of(app.id()).is_none()
        };
        user.apps().into_iter().filter(|app| !is_past(app)).collect()
    }

    fn define(&self, name: &str, request: &v1::OpenAppRequest) -> Result<Definition, Failure> {
        let definition = from_wire::definition(request)?;
        Ok(Definition { declared_as: Some(name.to_owned()), ..definition })
    }

    /// What is wrong with a name that nothing is declared by, and where to declare it.
    async fn undeclared(
        &self,
        session: &Session,
        in_force: &InForce,
        name: &str,
    ) -> Result<Failure, Failure> {
        let known = self.apps_known_to(session, in_force).await?;
        let known: Vec<_> = known.into_iter().map(|(name, _)| name).collect();
        let known = match known.len() {
            0 => "none".to_owned(),
            count @ 1..=MOST_NAMED => known[..count].join(", "),
            more => format!("{} and {} more", known[..MOST_NAMED].join(", "), more - MOST_NAMED),
        };
        let mut text = match (in_force.file(), self.configuration.preferred_file()) {
            (Some(file), _) => {
                format!(
                    "the configuration {} has no [apps.{name}]; it has: {known}",
                    file.display()
                )
            }
            (None, Some(file)) => {
                let file = file.display();
                format!("there is no configuration, and so no [apps.{name}]; it would be {file}")
            }
            (None, None) => format!("there is no configuration, and so no [apps.{name}]"),
        };
        if let Some(problem) = in_force.problem() {
            text += &format!("; the file was changed, and is not in force as it is: {problem}");
        }
        Ok(Failure::request(ErrorCode::UnknownApp, text))
    }

    /// The declared applications that the caller may know of: where several users are served, those that are for others by
    /// `users` are none of the caller's business, and look as if they were not there.
    ///
    /// # Errors
    /// When the users cannot be looked up.
    pub async fn apps_known_to<'a>(
        &self,
        session: &Session,
        in_force: &'a InForce,
    ) -> Result<Vec<(&'a str, &'a AppConfig)>, Failure> {
        let apps = in_force.apps().iter().map(|(name, app)| (name.as_str(), app));
        let hidden = self.apps_hidden_from(session, apps.clone()).await?;
        Ok(apps.filter(|(name, _)| !hidden.contains(*name)).collect())
    }

    pub(super) async fn may_know(
        &self,
        session: &Session,
        name: &str,
        app: &AppConfig,
    ) -> Result<bool, Failure> {
        Ok(self.apps_hidden_from(session, [(name, app)]).await?.is_empty())
    }

    async fn apps_hidden_from<'a>(
        &self,
        session: &Session,
        apps: impl IntoIterator<Item = (&'a str, &'a AppConfig)>,
    ) -> Result<HashSet<String>, Failure> {
        if !self.serves_several() {
            return Ok(HashSet::new());
        }
        let lists =
            apps.into_iter().filter_map(|(name, app)| Some((name.to_owned(), app.users.clone()?)));
        let (lists, caller): (Vec<_>, _) = (lists.collect(), session.caller().partition.clone());
        if lists.is_empty() {
            return Ok(HashSet::new());
        }
        let look_up = move || {
            let mut found = HashMap::new();
            let mut is_caller = |user: UserName| {
                let partition = found.entry(user.clone()).or_insert_with(|| find_user(&user));
                partition.as_ref() == Some(&caller)
            };
            let is_for_others =
                |(_, users): &(_, Vec<UserName>)| !users.iter().cloned().any(&mut is_caller);
            lists.into_iter().filter(is_for_others).map(|(name, _)| name).collect()
        };
        let looking_up = self.secrets.files().perform("users of applications", look_up);
        looking_up.await.map_err(|error| Failure::Later {
            description: format!("the users of declared applications cannot be looked up: {error}"),
            seconds: LATER_SECONDS,
        })
    }

    /// The name in the configuration of an application that this connection has open.
    pub fn name_of(&self, session: &Session, app: &valetkey_engine::AppId) -> Option<String> {
        let in_force = self.configuration.in_force();
        session.name_of(app).or_else(|| in_force.name_of(app).map(str::to_owned))
    }

    /// Keeps a secret that the configuration may refer to, or forgets it. What was opened with another one of this name is
    /// open no more.
    ///
    /// # Errors
    /// When there are too many, or the store is locked or cannot be written.
    pub async fn keep_secret(
        &self,
        session: &Session,
        name: &str,
        secret: Option<zeroize::Zeroizing<Vec<u8>>>,
    ) -> Result<(), Failure> {
        self.decide_on_own_administration(session).await?;
        let is_kept = secret.is_some();
        if self.secrets.keep(name, secret).await? {
            let process = session.caller().process.map(|process| process.number);
            let what = if is_kept { "a secret was kept" } else { "a secret was forgotten" };
            tracing::info!(name, process, "{what}");
            self.note(session, &Deed::new(AuditAct::SecretChanged).because(name));
        }
        Ok(())
    }
}

/// How many names a person is told who gave another one.
const MOST_NAMED: usize = 32;

/// For the list of applications: one that is declared and that this connection has not opened. Its name serves as its id.
pub fn describe_unopened(name: &str, app: &AppConfig) -> v1::App {
    let authority = app.authority.as_deref().or(app.oidc_authority.as_deref());
    v1::App {
        app: name.to_owned(),
        name: Some(name.to_owned()),
        kind: app.kind(),
        client_id: app.client_id.clone(),
        authority: authority.unwrap_or(valetkey_model::Authority::DEFAULT).to_owned(),
    }
}

#[cfg(unix)]
pub(super) fn look_at_program(path: std::path::PathBuf) -> ProgramFile {
    use std::os::unix::fs::MetadataExt as _;

    let file = path.metadata().ok();
    let file = file.map(|file| FileId { device: file.dev(), inode: file.ino() });
    ProgramFile { path, file }
}

/// Windows tells a process's program by its path.
#[cfg(not(unix))]
pub(super) fn look_at_program(path: std::path::PathBuf) -> ProgramFile {
    ProgramFile { path, file: None::<FileId> }
}
