//! valetkey-testkit.
