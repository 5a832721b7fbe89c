//! Requests of users whom the daemon is not for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use valetkey_engine::ports::BoxFuture;
use valetkey_model::Caller;

use super::Api;
use super::answer::failed;
use crate::serve::Door;
use crate::session::Session;

/// Decides by the configuration. A daemon of one user has no such door, since its listener lets in nobody else.
pub fn door(api: &Arc<Api>) -> Option<Arc<dyn Door>> {
    api.broker.serves_several().then(|| Arc::clone(api) as _)
}

impl Door for Api {
    fn is_known_stranger(&self, caller: &Caller) -> bool {
        self.broker.is_known_stranger(caller)
    }

    fn refuse<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Option<Response<Body>>> {
        Box::pin(async {
            let denial = self.broker.check_connection(session).await.err()?;
            let id = self.broker.engine().new_correlation_id();
            let mut answer = failed(&denial.into(), &id);
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Some(answer)
        })
    }
}
