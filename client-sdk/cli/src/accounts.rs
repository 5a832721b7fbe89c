//! Accounts, as people tell them apart.

use valetkey_client::blocking::Client;
use valetkey_client::v1::{Account, App};

use crate::failure::Failure;
use crate::text::clean;

/// Its user name, and the id that is unique.
pub(crate) fn label(account: &Account) -> String {
    match account.username.as_str() {
        "" => clean(&account.home_account_id),
        name => format!("{} ({})", clean(name), clean(&account.home_account_id)),
    }
}

/// True when a person may mean this account by that word.
pub(crate) fn is_meant(account: &Account, word: &str) -> bool {
    account.home_account_id == word || account.username.to_lowercase() == word.to_lowercase()
}

/// Those of each application. Applications share sign-ins, so the same account may come several times.
pub(crate) fn of_all_apps(client: &Client) -> Result<Vec<Account>, Failure> {
    let mut accounts: Vec<Account> = Vec::new();
    for app in client.apps()? {
        for account in client.handle(app).accounts(None)? {
            let is_same = |known: &Account| {
                (&known.home_account_id, &known.environment, &known.realm)
                    == (&account.home_account_id, &account.environment, &account.realm)
            };
            if !accounts.iter().any(is_same) {
                accounts.push(account);
            }
        }
    }
    Ok(accounts)
}

/// What people call accounts and applications, of those that are known; of the others their ids.
#[derive(Default)]
pub(crate) struct Names {
    accounts: Vec<Account>,
    apps: Vec<App>,
}

impl Names {
    /// Those that the daemon knows at the moment. Without an answer there are ids.
    pub(crate) fn of(client: &Client) -> Self {
        let accounts = of_all_apps(client).unwrap_or_default();
        Self { accounts, apps: client.apps().unwrap_or_default() }
    }

    pub(crate) fn knows_account(&self, id: &str) -> bool {
        self.accounts.iter().any(|account| account.home_account_id == id)
    }

    pub(crate) fn account<'a>(&'a self, id: &'a str) -> &'a str {
        let known = self.accounts.iter().find(|account| account.home_account_id == id);
        known.map(|account| account.username.as_str()).filter(|name| !name.is_empty()).unwrap_or(id)
    }

    pub(crate) fn app<'a>(&'a self, client_id: &'a str) -> &'a str {
        let mut known = self.apps.iter().filter(|app| app.client_id == client_id);
        known.find_map(|app| app.name.as_deref()).unwrap_or(client_id)
    }
}
