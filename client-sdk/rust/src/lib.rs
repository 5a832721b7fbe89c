//! valetkey-client.
