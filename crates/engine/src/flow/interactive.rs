//! The interactive flow (RFC 8252): the client opens the browser, since it has the person's desktop; the daemon listens on
//! loopback for this one flow, and completes it.

use std::sync::Arc;

use valetkey_oauth::{AuthorizationCode, RedirectError};

use super::auth_code::{Expectation, VisitPlan, preferred_response_mode};
use super::{Invitation, Progress, SignIn};
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::{Listening, Page, Redirect};
use crate::possession::Possession;
use crate::request::{FlowKind, FlowRequest};
use crate::user::User;

impl Engine {
    pub(super) async fn start_interactive(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &FlowRequest,
        possession: Possession,
    ) -> Result<Arc<SignIn>, Error> {
        let FlowKind::Interactive { port, timeout_seconds, extra_scopes } = &request.kind else {
            return Err(Error::Bug("not an interactive flow"));
        };
        let metadata = self.discover(user, &request.app).await?;
        // The port is open before the URL is known to anyone, so nobody else can be waiting there for the redirect.
        let listening = self.ports.redirects.listen(*port, user.partition()).await?;
        let plan = VisitPlan {
            // The form that Entra's applications register; a provider ignores the port (RFC 8252 section 7.3).
            redirect_uri: Some(format!("http://localhost:{}", listening.port)),
            state: None,
            response_mode: preferred_response_mode(&request.app.definition().authority, &metadata),
            extra_scopes: extra_scopes.clone(),
            dpop_jkt: possession.dpop_jkt().map(str::to_owned),
        };
        let (visit, scopes, expectation) = self.plan_visit(request, plan, metadata)?;
        let expires_at = self.now().plus_seconds(i64::from(*timeout_seconds));
        let sign_in = SignIn::new(
            request,
            scopes,
            expires_at,
            Invitation::Interactive(visit),
            Progress::Interactive,
            possession,
        );
        let (this, user, running) = (Arc::clone(self), Arc::clone(user), Arc::clone(&sign_in));
        tokio::spawn(
            async move { this.await_redirect(&user, &running, listening, expectation).await },
        );
        Ok(sign_in)
    }

    /// Waits for the redirect, the end of the person's time, or a cancellation. The port closes with this function.
    async fn await_redirect(
        &self,
        user: &User,
        sign_in: &SignIn,
        mut listening: Listening,
        expectation: Expectation,
    ) {
        let time_left = sign_in.expires_at.wait_from(self.now());
        let redirect = tokio::select! {
            () = sign_in.ended() => None,
            () = self.ports.clock.sleep(time_left) => {
                sign_in.finish(Err(Error::FlowTimedOut));
                None
            }
            redirect = receive(&mut listening, &expectation) => {
                if redirect.is_none() {
                    sign_in.finish(Err(Error::Bug("the redirect listener died")));
                }
                redirect
            }
        };
        let Some((redirect, judged)) = redirect else { return };
        let outcome = match judged {
            Ok(code) => {
                let received = expectation.received(code).with(None, sign_in.fields.clone());
                self.redeem_code(user, sign_in, received, None).await
            }
            Err(error) => Err(error.into()),
        };
        let page = outcome
            .as_ref()
            .map_or_else(|error| Page::Refused(error.to_string()), |_| Page::SignedIn);
        sign_in.finish(outcome);
        // A browser that was closed meanwhile misses nothing.
        let _ = redirect.page.send(page);
    }
}

/// The first redirect that is this flow's own. Others are shown that they are stale, and change nothing.
async fn receive(
    listening: &mut Listening,
    expectation: &Expectation,
) -> Option<(Redirect, Result<AuthorizationCode, RedirectError>)> {
    loop {
        let redirect = listening.redirects.recv().await?;
        match expectation.judge(&redirect.parameters) {
            Err(RedirectError::StateMismatch | RedirectError::StateMissing) => {
                let _ = redirect.page.send(Page::Stale);
            }
            judged => return Some((redirect, judged)),
        }
    }
}
