//! The device code grant (RFC 8628 section 3.4).

use super::{TokenRequest, apply_scenarios};
use crate::entra::device::{Decision, Device};
use crate::entra::error::Refusal;
use crate::entra::grants::Grant;
use crate::entra::message::Reply;
use crate::entra::state::State;

/// A timer that fires early by a little is no misbehaviour.
const TOLERANCE_MS: i64 = 500;

pub(super) fn redeem(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let device_code = request.form.require("device_code")?.to_owned();
    let (now, now_ms) = (state.clock.now(), state.clock.now_ms());
    let device =
        state.devices.get_mut(&device_code).filter(|device| device.client.id == request.client.id);
    let device = device.ok_or_else(|| {
        Refusal::new("bad_verification_code", 70_000, "There is no such device code.")
    })?;
    let (user_name, auth_time) = read_decision(device, now, now_ms)?;
    let device = device.clone();
    let user = state
        .find_user(&user_name)
        .cloned()
        .ok_or_else(|| Refusal::invalid_grant(50_034, "The user account has been deleted."))?;
    let grant = Grant {
        client_id: request.client.id.clone(),
        tenant_id: device.directory.tenant_for(&user)?,
        user: user_name,
        scopes: device.scopes.clone(),
        auth_time,
        claims: device.claims,
        revoked: false,
    };
    apply_scenarios(state, &user, &grant, &device.scopes, true)?;
    let (_, reply) = request.open_grant(state, grant, &device.scopes, &user, None);
    if let Some(device) = state.devices.get_mut(&device_code) {
        device.decision = Decision::Redeemed;
    }
    Ok(reply)
}

/// What the person decided, or what the device must hear instead.
fn read_decision(device: &mut Device, now: i64, now_ms: i64) -> Result<(String, i64), Refusal> {
    let too_soon = device.last_poll_ms.is_some_and(|last| {
        now_ms < last.saturating_add(device.interval.saturating_mul(1_000)) - TOLERANCE_MS
    });
    device.last_poll_ms = Some(now_ms);
    match &device.decision {
        Decision::Redeemed => Err(Refusal::new(
            "bad_verification_code",
            70_000,
            "The device code was already redeemed.",
        )),
        _ if now >= device.expires_at => {
            Err(Refusal::new("expired_token", 70_020, "The device code has expired."))
        }
        Decision::Declined => {
            Err(Refusal::new("authorization_declined", 70_017, "The user declined."))
        }
        Decision::Approved { user, auth_time } => Ok((user.clone(), *auth_time)),
        Decision::Awaited if too_soon => {
            // The new interval holds for all polls to come (RFC 8628 section 3.5).
            device.interval = device.interval.saturating_add(5);
            Err(Refusal::new("slow_down", 70_036, "The device polls too frequently. Slow down."))
        }
        Decision::Awaited => Err(Refusal::new(
            "authorization_pending",
            70_016,
            "The user has not decided yet; poll again.",
        )),
    }
}
