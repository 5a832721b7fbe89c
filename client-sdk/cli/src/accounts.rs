//! Accounts, as people tell them apart.

use valetkey_client::v1::Account;

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
