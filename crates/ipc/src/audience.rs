//! Whom an endpoint is for.

/// Whose programs may connect. The kernel says whose each one is, and the listener tells; to let in fewer than everybody is
/// the daemon's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Those of the user that this process runs as. All others are refused, root among them, since its own daemon is there
    /// for it.
    #[default]
    OwnUser,
    /// Those of every user of the machine. Named pipes have no such thing.
    AllUsers,
}
