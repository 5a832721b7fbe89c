//! `GET /v1/apps/{app}/accounts` and `DELETE /v1/apps/{app}/accounts/{home_account_id}`: who has signed in.

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{Account, Accounts, ErrorCode};

use crate::app::{App, BlockingApp};
use crate::call::Call;
use crate::error::Error;
use crate::http1::{fill, push_encoded};

impl App {
    /// The accounts that this application may use; all, or those with this user name, whatever its case.
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub async fn accounts(&self, username: Option<&str>) -> Result<Vec<Account>, Error> {
        Ok(self.call(|app| list(app, username)).await?.accounts)
    }

    /// Signs an account out: its tokens are forgotten. That it is not there is no error.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn remove_account(&self, home_account_id: &str) -> Result<(), Error> {
        gone(self.call(|app| remove(app, home_account_id)).await)
    }
}

impl BlockingApp {
    /// As [`App::accounts`].
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub fn accounts(&self, username: Option<&str>) -> Result<Vec<Account>, Error> {
        Ok(self.call(|app| list(app, username))?.accounts)
    }

    /// As [`App::remove_account`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn remove_account(&self, home_account_id: &str) -> Result<(), Error> {
        gone(self.call(|app| remove(app, home_account_id)))
    }
}

fn list(app: &str, username: Option<&str>) -> Call<Accounts> {
    let mut path = fill(route::ACCOUNTS, &[app]);
    if let Some(username) = username {
        path.push_str("?username=");
        push_encoded(&mut path, username);
    }
    Call::get(&path)
}

fn remove(app: &str, home_account_id: &str) -> Call<()> {
    Call::delete(&fill(route::ACCOUNT, &[app, home_account_id]))
}

fn gone(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(error) if error.is(ErrorCode::UnknownAccount) => Ok(()),
        outcome => outcome,
    }
}
