//! How much of the daemon's memory one user's programs may take up, where others are to find room as well.
//!
//! What counts is what stays: cached entries, answers that may be given again, open applications and sign-ins, in all of the
//! user's partitions that are in memory. It is counted before a provider is asked: what one then brings is kept in any case, for
//! a rotated refresh token that is not kept is lost. So a user may be over the limit by what is on its way.

use valetkey_model::Partition;

use crate::engine::Engine;
use crate::error::Error;

impl Engine {
    /// About how many bytes are held for whose partition this is.
    pub fn held_for(&self, partition: &Partition) -> usize {
        let users = self.loaded_users().into_iter();
        let own = users.filter(|user| user.partition().is_of_owner_of(partition));
        own.map(|user| user.size()).sum()
    }

    /// Whether there is room for as many bytes more.
    ///
    /// # Errors
    /// When there is not.
    pub fn check_room(&self, partition: &Partition, more: usize) -> Result<(), Error> {
        self.check_within(partition, more, |limit| limit)
    }

    /// Whether there is room for going on with what is there: a quarter more is for that, so that who may bring nothing new
    /// keeps what they have, and can make room.
    ///
    /// # Errors
    /// When there is not.
    pub fn check_room_to_go_on(&self, partition: &Partition, more: usize) -> Result<(), Error> {
        self.check_within(partition, more, |limit| limit / 4 * 5)
    }

    fn check_within(
        &self,
        partition: &Partition,
        more: usize,
        stretch: fn(usize) -> usize,
    ) -> Result<(), Error> {
        let Some(limit) = self.room_of_each else { return Ok(()) };
        match self.held_for(partition).saturating_add(more) > stretch(limit) {
            true => Err(Error::NoRoom { limit }),
            false => Ok(()),
        }
    }
}
