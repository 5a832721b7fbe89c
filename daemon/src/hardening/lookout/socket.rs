//! A socket pair that keeps messages apart, and carries a descriptor with one.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::wire;

pub(super) struct Socket(OwnedFd);

/// The daemon's end, which does not wait for ever, and the other.
pub(super) fn pair(longest_wait: Duration) -> io::Result<(Socket, Socket)> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&ours, Timeout::Recv, Some(longest_wait))?;
    Ok((Socket(ours), Socket(theirs)))
}

/// Whether what is not there yet is waited for.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// As long as the socket does.
    Some,
    None,
}

impl Socket {
    pub(super) fn send(&self, message: &[u8], descriptor: Option<OwnedFd>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptor.iter().map(|it| it.as_fd()).collect();
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        sendmsg(&self.0, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message, and the descriptor that came with it; `UnexpectedEof` when the other end is closed.
    pub(super) fn receive(&self, patience: Patience) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        let flags = match patience {
            Patience::Some => RecvFlags::CMSG_CLOEXEC,
            Patience::None => RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        };
        let mut message = vec![0; wire::LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut message)];
        let received = loop {
            match recvmsg(&self.0, &mut parts, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received?.bytes,
            }
        };
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.truncate(received);
        let descriptor = ancillary.drain().find_map(|it| match it {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        Ok((message, descriptor))
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
