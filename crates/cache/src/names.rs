//! One copy of each text that thousands of entries have in common.

use std::sync::Arc;

use hashbrown::HashSet;
use valetkey_model::ClientId;

use crate::Entry;

/// Hosts, tenants, client ids and the schema's own words: few, however many entries there are. Account ids and scope sets
/// are not among them, as those come and go with the users.
#[derive(Default)]
pub(crate) struct Names {
    texts: HashSet<Arc<str>>,
    client_ids: HashSet<ClientId>,
}

impl Names {
    /// The known copy of a text, else a new one.
    pub(crate) fn get(&self, text: &str) -> Arc<str> {
        self.texts.get(text).map_or_else(|| text.into(), Arc::clone)
    }

    /// Makes the entry use the known copies, and its own ones known.
    pub(crate) fn share(&mut self, entry: &mut Entry) {
        match entry {
            Entry::AccessToken(token) => {
                let token = Arc::make_mut(token);
                self.share_client_id(&mut token.client_id);
                self.share_texts([&mut token.environment, &mut token.realm, &mut token.token_type]);
            }
            Entry::RefreshToken(token) => {
                let token = Arc::make_mut(token);
                self.share_client_id(&mut token.client_id);
                self.share_texts([&mut token.environment].into_iter().chain(&mut token.family_id));
            }
            Entry::IdToken(token) => {
                let token = Arc::make_mut(token);
                self.share_client_id(&mut token.client_id);
                self.share_texts([&mut token.environment, &mut token.realm]);
            }
            Entry::Account(account) => {
                let account = Arc::make_mut(account);
                let texts =
                    [&mut account.environment, &mut account.realm, &mut account.authority_type];
                self.share_texts(texts.into_iter().chain(&mut account.account_source));
            }
            Entry::AppMetadata(app) => {
                let app = Arc::make_mut(app);
                self.share_client_id(&mut app.client_id);
                self.share_texts([&mut app.environment].into_iter().chain(&mut app.family_id));
            }
            Entry::Document(_) | Entry::ProofKey(_) | Entry::Answer(_) | Entry::Foreign(_) => {}
        }
    }

    fn share_texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a mut Arc<str>>) {
        for text in texts {
            text.clone_from(self.texts.get_or_insert_with(&**text, |text| text.into()));
        }
    }

    fn share_client_id(&mut self, client_id: &mut Option<ClientId>) {
        if let Some(id) = client_id {
            let known = self.client_ids.get_or_insert_with(&*id, ClientId::clone);
            id.clone_from(known);
        }
    }
}
