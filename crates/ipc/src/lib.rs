//! valetkey-ipc.
