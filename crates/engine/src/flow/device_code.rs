//! The device code flow (RFC 8628): the daemon asks once, and polls by the provider's rules until the person is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use valetkey_oauth::{
    ApiId, CacheReason, DeviceCodeGrant, ExtraFields, PollOutcome, ProviderMetadata,
    TokenResponseError, build_device_authorization_request, build_device_code_request,
    decorate_scopes, merge_claims, parse_device_authorization, parse_token_response, poll_outcome,
};

use super::{FlowStatus, Invitation, Progress, SignIn};
use crate::answer::TokenAnswer;
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::Error;
use crate::issue::{GRANT_DEVICE_CODE, Issue, Origin, record_outcome};
use crate::lease::Lease;
use crate::possession::Possession;
use crate::request::{Extras, FlowRequest};
use crate::user::User;

/// RFC 8628 section 3.5. Other faults that pass make the next pause longer, and no more than that.
const SLOW_DOWN: &str = "slow_down";
/// RFC 8628 section 3.5: `slow_down` adds this to the interval, for good.
const SLOW_DOWN_SECONDS: u64 = 5;
/// The longest pause after a fault on the way, so that a short outage costs no minutes.
const LONGEST_PAUSE_SECONDS: u64 = 60;

/// What polling needs.
pub(super) struct DevicePolling {
    grant: DeviceCodeGrant,
    interval_seconds: u64,
    started: AtomicBool,
    /// The form's own fields, when they came after the start.
    late_fields: OnceLock<ExtraFields>,
}

impl Engine {
    pub(super) async fn start_device_code(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &FlowRequest,
        possession: Possession,
    ) -> Result<Arc<SignIn>, Error> {
        let definition = request.app.definition();
        let scopes = decorate_scopes(&request.scopes, &definition.exclude_scopes)?;
        let claims = merge_claims(&definition.capabilities, request.claims_challenge.as_deref())?;
        let metadata = self.discover(user, &request.app).await?;
        let call = self.call(
            &request.app,
            ApiId::DeviceCode,
            CacheReason::NotSilent,
            &request.correlation_id,
            self.authenticate(&request.app, &metadata, Proof::default())?,
        );
        let client_id = &definition.client_id;
        let asking = build_device_authorization_request(
            &metadata,
            client_id,
            &scopes,
            claims.as_deref(),
            &call,
        )
        .ok_or(Error::NotOffered("device code flow"))?;
        let answer = self.send(user, &request.app, asking).await?;
        let authorization = parse_device_authorization(&answer, self.now())?;
        if authorization.had_foreign_link {
            tracing::warn!(
                authority = %definition.authority,
                "the provider's link with the code in it leads to another site; it was left out"
            );
        }
        let expires_at = self.now().plus_seconds(authorization.expires_in);
        let (started, late_fields) = (AtomicBool::new(false), OnceLock::new());
        let interval_seconds = authorization.interval.max(1);
        let grant = DeviceCodeGrant { device_code: authorization.device_code, claims };
        let polling = DevicePolling { grant, interval_seconds, started, late_fields };
        let invitation = Invitation::Device(authorization.fields);
        let progress = Progress::Device(polling);
        Ok(SignIn::new(request, scopes, expires_at, invitation, progress, possession))
    }

    /// Begins to poll, once. From then on the flow goes on whether its starter waits or not.
    pub(super) fn poll_device_code(self: &Arc<Self>, user: &Arc<User>, sign_in: &Arc<SignIn>) {
        let Progress::Device(polling) = &sign_in.progress else { return };
        if polling.started.swap(true, Ordering::Relaxed) {
            return;
        }
        let (this, user, sign_in) = (Arc::clone(self), Arc::clone(user), Arc::clone(sign_in));
        tokio::spawn(async move {
            let approval = tokio::select! {
                () = sign_in.ended() => return,
                approval = this.poll_until_done(&user, &sign_in) => approval,
            };
            // Not to be cancelled: the disk and the memory must not differ about what the provider issued.
            let outcome = match approval {
                Ok(approval) => this.admit_device(&user, &sign_in, approval).await,
                Err(error) => Err(error),
            };
            sign_in.finish(outcome);
        });
    }

    async fn poll_until_done(
        self: &Arc<Self>,
        user: &Arc<User>,
        sign_in: &SignIn,
    ) -> Result<Box<Approval>, Error> {
        let Progress::Device(polling) = &sign_in.progress else {
            return Err(Error::Bug("only device flows are polled"));
        };
        let mut interval = polling.interval_seconds;
        let mut pause = interval;
        loop {
            match self.poll_once(user, sign_in, polling).await {
                Poll::Done(outcome) => return outcome,
                Poll::Pending => pause = interval,
                Poll::SlowDown => {
                    interval += SLOW_DOWN_SECONDS;
                    pause = interval;
                }
                Poll::Fault(retry_after) => {
                    pause =
                        retry_after.unwrap_or((pause * 2).min(LONGEST_PAUSE_SECONDS)).max(interval);
                }
            }
            sign_in.count_poll();
            let left = sign_in.expires_at.wait_from(self.now());
            if left.is_zero() {
                return Err(Error::FlowTimedOut);
            }
            self.ports.clock.sleep(Duration::from_secs(pause).min(left)).await;
        }
    }

    async fn poll_once(
        self: &Arc<Self>,
        user: &Arc<User>,
        sign_in: &SignIn,
        polling: &DevicePolling,
    ) -> Poll {
        let app = &sign_in.app;
        let metadata = match self.discover(user, app).await {
            Ok(metadata) => metadata,
            Err(error) => return Poll::of_error(error),
        };
        let authentication = match self.authenticate(app, &metadata, Proof::default()) {
            Ok(authentication) => authentication,
            Err(error) => return Poll::of_error(error),
        };
        let (api, reason) = (ApiId::DeviceCode, CacheReason::NotSilent);
        let call = self.call(app, api, reason, &sign_in.correlation_id, authentication);
        let client_id = &app.definition().client_id;
        let poll = build_device_code_request(&metadata, client_id, &polling.grant, &call)
            .with_extra_fields(sign_in.form_fields());
        let lease = match self.lease(user).await {
            Ok(lease) => lease,
            Err(error) => return Poll::of_error(error),
        };
        let possession = match sign_in.possession.clone().with_fields(sign_in.form_fields()) {
            Ok(possession) => &possession.clone(),
            Err(error) => return Poll::of_error(error),
        };
        let answer = match lease.wait_for(self.send_for_token(user, app, possession, poll)).await {
            Ok(answer) => answer,
            Err(error) => return Poll::of_error(error),
        };
        let parsed = parse_token_response(&answer, &sign_in.scopes, self.now());
        let refusal = match &parsed {
            Err(TokenResponseError::Refused(refusal)) => refusal.error.as_str(),
            _ => "",
        };
        match poll_outcome(&parsed) {
            PollOutcome::Pending => return Poll::Pending,
            PollOutcome::SlowDown if refusal == SLOW_DOWN => return Poll::SlowDown,
            PollOutcome::SlowDown | PollOutcome::Done => {}
        }
        record_outcome(app, &call, &parsed);
        let issue = parsed.map_err(Error::from);
        match issue.and_then(|response| Issue::read(response, possession)) {
            Ok(issue) => Poll::Done(Ok(Box::new(Approval { metadata, issue, lease }))),
            Err(error) => Poll::of_error(error),
        }
    }

    async fn admit_device(
        &self,
        user: &User,
        sign_in: &SignIn,
        approval: Box<Approval>,
    ) -> Result<TokenAnswer, Error> {
        let Approval { metadata, issue, lease } = *approval;
        let app = &sign_in.app;
        issue.check_issuer(app.definition(), &metadata)?;
        let extras = Extras::of_fields(sign_in.form_fields());
        let origin = Origin { extras: Some(&extras), ..Origin::of(GRANT_DEVICE_CODE) };
        self.admit_sign_in(user, &lease, app, &metadata, origin, issue).await
    }
}

/// What one poll brought.
enum Poll {
    Pending,
    SlowDown,
    /// Passing: go on, after so many seconds if the provider said so.
    Fault(Option<u64>),
    Done(Result<Box<Approval>, Error>),
}

/// What the provider issued when the person was done.
struct Approval {
    metadata: Arc<ProviderMetadata>,
    issue: Issue,
    /// Held until it is saved.
    lease: Lease,
}

impl Poll {
    /// RFC 8628 section 3.5: on a fault of the network a client goes on, less often. (MSAL gives up at a 5xx, though the
    /// person may be typing the code that very moment.)
    fn of_error(error: Error) -> Self {
        match &error {
            Error::Token(TokenResponseError::Unavailable { retry_after, .. }) => {
                Self::Fault(seconds(*retry_after))
            }
            _ if error.is_passing() => Self::Fault(None),
            _ => match error.refusal() {
                Some(refusal) if refusal.is_temporary() => {
                    Self::Fault(seconds(refusal.retry_after))
                }
                _ => Self::Done(Err(error)),
            },
        }
    }
}

fn seconds(wait: Option<i64>) -> Option<u64> {
    wait.and_then(|seconds| u64::try_from(seconds).ok())
}

impl SignIn {
    /// Adds fields to the requests of a device flow that nobody has waited for yet, and nobody else takes part in.
    pub(super) fn add_form_fields(&self, fields: ExtraFields) -> Result<(), Error> {
        let Progress::Device(polling) = &self.progress else {
            return Err(Error::NotCompletedByCaller(self.kind()));
        };
        let is_begun = polling.started.load(Ordering::Relaxed) || self.is_shared();
        if is_begun || polling.late_fields.set(fields).is_err() {
            let reason = "the provider is being asked already; give it when the flow is started";
            return Err(Error::BadValue { member: "data", reason: reason.to_owned() });
        }
        Ok(())
    }

    /// The form's own fields, whenever they came.
    fn form_fields(&self) -> &ExtraFields {
        match &self.progress {
            Progress::Device(polling) => polling.late_fields.get().unwrap_or(&self.fields),
            Progress::AuthCode(_) | Progress::Interactive => &self.fields,
        }
    }

    /// Whether it is another sign-in than it was when it was begun.
    pub(super) fn has_late_fields(&self) -> bool {
        matches!(&self.progress, Progress::Device(polling) if polling.late_fields.get().is_some())
    }

    fn count_poll(&self) {
        self.status.send_if_modified(|status| match status {
            FlowStatus::Pending { polls } => {
                *polls = polls.saturating_add(1);
                true
            }
            FlowStatus::Completed(_) | FlowStatus::Failed(_) => false,
        });
    }
}
