//! Things that go wrong for a user or a scope, as Entra words them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::claims;
use super::error::Refusal;

/// Why silent requests for a user or a scope are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Multi-factor sign-in: `interaction_required` with a claims challenge, until a sign-in satisfied it.
    InteractionRequired,
    /// The user must yet register a second factor: as above, with AADSTS50079.
    EnrollmentRequired,
    /// As above with these claims (JSON text), as a resource with continuous access evaluation would demand.
    ClaimsChallenge(String),
    /// An administrator or the user has not agreed; a sign-in with `prompt=consent` settles it.
    ConsentRequired,
    /// The password ran out.
    UserPasswordExpired,
    /// The refresh token was damaged or revoked.
    BadToken,
    /// The refresh token is too old for a sign-in frequency rule.
    TokenExpired,
    /// Conditional access could not tell the device.
    DeviceAuthenticationFailed,
    /// The application lacks a protection policy.
    ProtectionPolicyRequired,
    /// The device must be brought in order outside.
    AdditionalAction,
    /// Blocked, and nothing to do about it.
    MessageOnly,
    /// 429 with `Retry-After`, for interactive grants too.
    Throttled {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// 503, for interactive grants too.
    Unavailable,
}

impl Scenario {
    /// What a user name such as `mfa@contoso.com` asks for by its first part.
    pub(crate) fn from_user_name(name: &str) -> Option<Self> {
        match name.split('@').next().unwrap_or("") {
            "mfa" => Some(Self::InteractionRequired),
            "mfa-enroll" => Some(Self::EnrollmentRequired),
            "consent" => Some(Self::ConsentRequired),
            "password-expired" => Some(Self::UserPasswordExpired),
            "bad-token" => Some(Self::BadToken),
            "token-expired" => Some(Self::TokenExpired),
            "device" => Some(Self::DeviceAuthenticationFailed),
            "protection" => Some(Self::ProtectionPolicyRequired),
            "non-compliant" => Some(Self::AdditionalAction),
            "blocked" => Some(Self::MessageOnly),
            "throttled" => Some(Self::Throttled { retry_after: 7 }),
            "unavailable" => Some(Self::Unavailable),
            _ => None,
        }
    }

    /// Whether even a fresh sign-in is turned away at the token endpoint.
    pub(crate) fn stops_every_grant(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable)
    }

    /// Whether a sign-in that presented these claims has met the demand.
    pub(crate) fn is_satisfied_by(&self, presented: Option<&Value>) -> bool {
        let demanded = match self {
            Self::InteractionRequired | Self::EnrollmentRequired => mfa_claims(),
            Self::ClaimsChallenge(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            _ => return false,
        };
        presented.is_some_and(|presented| claims::contains(presented, &demanded))
    }

    /// The refusal. Numbers, error codes and suberrors are those of Microsoft's error reference.
    pub(crate) fn to_refusal(&self) -> Refusal {
        let grant = Refusal::invalid_grant;
        match self {
            Self::InteractionRequired => challenge(mfa_claims().to_string()),
            Self::EnrollmentRequired => Refusal {
                number: 50_079,
                text: "The user must register for multi-factor sign-in; sign in interactively."
                    .to_owned(),
                ..challenge(mfa_claims().to_string())
            },
            Self::ClaimsChallenge(claims) => challenge(claims.clone()),
            Self::ConsentRequired => consent_required("the application"),
            Self::UserPasswordExpired => {
                grant(50_055, "The password has run out and must be changed.")
                    .with_suberror("user_password_expired")
            }
            Self::BadToken => grant(50_173, "The refresh token was revoked; sign in again.")
                .with_suberror("bad_token"),
            Self::TokenExpired => grant(
                70_043,
                "The refresh token is older than the sign-in frequency policy admits.",
            )
            .with_suberror("token_expired"),
            Self::DeviceAuthenticationFailed => grant(50_097, "The device must authenticate.")
                .with_suberror("device_authentication_failed"),
            Self::ProtectionPolicyRequired => Refusal::new(
                "unauthorized_client",
                53_005,
                "The application does not enforce the protection policy that is demanded of it.",
            )
            .with_suberror("protection_policy_required"),
            Self::AdditionalAction => grant(53_000, "The device does not comply with the policy.")
                .with_suberror("additional_action"),
            Self::MessageOnly => {
                grant(53_003, "A policy blocks this sign-in.").with_suberror("message_only")
            }
            Self::Throttled { retry_after } => throttled(*retry_after),
            Self::Unavailable => Refusal::new(
                "temporarily_unavailable",
                90_033,
                "The service is busy; try again later.",
            )
            .with_status(503),
        }
    }
}

/// The refusal of a scope that nobody agreed to.
pub(crate) fn consent_required(client: &str) -> Refusal {
    let text = format!(
        "Nobody has agreed that '{client}' may have this scope; send the user through an interactive request."
    );
    Refusal::invalid_grant(65_001, text).with_suberror("consent_required")
}

fn throttled(retry_after: u64) -> Refusal {
    let refusal =
        Refusal::new("temporarily_unavailable", 50_196, "The client sends too many requests.");
    Refusal { status: 429, retry_after: Some(retry_after), ..refusal }
}

fn challenge(claims: String) -> Refusal {
    let refusal = Refusal::new(
        "interaction_required",
        50_076,
        "A policy demands a second factor; sign in interactively with the claims given here.",
    );
    Refusal { claims: Some(claims), ..refusal.with_suberror("basic_action") }
}

/// The claims that a multi-factor policy demands.
fn mfa_claims() -> Value {
    json!({"access_token": {"capolids": {"essential": true, "values": ["5ca1ab1e-0000-4000-8000-000000000001"]}}})
}
