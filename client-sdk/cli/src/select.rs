//! Which application is meant.

use valetkey_client::Error;
use valetkey_client::blocking::{App, Client};
use valetkey_client::v1::{ErrorCode, InstanceDiscovery, OpenAppRequest};

use crate::args::AppArgs;
use crate::failure::{Failure, USAGE};
use crate::text::quote;

impl AppArgs {
    /// Opens it.
    pub(crate) fn open(&self, client: &Client) -> Result<App, Failure> {
        let definition = self.definition().ok_or_else(|| {
            let what = "name an application of the configuration, or give `--client-id`".to_owned();
            Failure::own("no_app", USAGE, what, "`valetkey apps` lists those that there are")
        })?;
        client.open_app(definition).map_err(|error| self.explain(client, error))
    }

    /// Says which name may have been meant.
    fn explain(&self, client: &Client, error: Error) -> Failure {
        let word = self.app.as_ref().filter(|_| error.is(ErrorCode::UnknownApp));
        let failure = Failure::from(error);
        let Some(word) = word else { return failure };
        let Ok(apps) = client.apps() else { return failure };
        let mut names = apps.iter().filter_map(|app| app.name.as_deref()).peekable();
        match names.peek() {
            Some(_) => failure.suggest(word, names),
            None => failure.advise(DECLARE.to_owned()),
        }
    }

    /// What was said of it, if anything was.
    pub(crate) fn definition(&self) -> Option<OpenAppRequest> {
        (self.app.is_some() || self.client_id.is_some()).then(|| OpenAppRequest {
            name: self.app.clone(),
            client_id: self.client_id.clone(),
            authority: self.authority.clone(),
            oidc_authority: self.oidc_authority.clone(),
            validate_authority: self.no_validate_authority.then_some(false),
            instance_discovery: self
                .no_instance_discovery
                .then_some(InstanceDiscovery::Enabled(false)),
            ..OpenAppRequest::default()
        })
    }

    /// The same words again, for a command to type.
    pub(crate) fn words(&self) -> String {
        let options = [
            ("", &self.app),
            (" --client-id", &self.client_id),
            (" --authority", &self.authority),
            (" --oidc-authority", &self.oidc_authority),
        ];
        let switches = [
            (" --no-validate-authority", self.no_validate_authority),
            (" --no-instance-discovery", self.no_instance_discovery),
        ];
        let said = options.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let mut words: String =
            said.map(|(name, value)| format!("{name} {}", quote(value))).collect();
        words.extend(switches.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name));
        words
    }
}

const DECLARE: &str = "declare it there, with `client_id` and `authority`, or give `--client-id`";
