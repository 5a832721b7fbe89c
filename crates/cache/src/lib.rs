//! valetkey-cache.
