//! valetkey-vault.
