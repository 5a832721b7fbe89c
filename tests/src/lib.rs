//! valetkey-tests.
