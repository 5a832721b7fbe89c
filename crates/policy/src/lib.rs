//! valetkey-policy.
