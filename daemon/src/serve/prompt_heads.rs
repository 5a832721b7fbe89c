//! A request's head that has begun to come must come whole: one that drips keeps a place that somebody else could have.
//!
//! hyper's own limit is from the end of the last request on, and so as long as a connection may be idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Which request is the next one, or is being answered.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// The head of a request is there, and it is being answered for as long as what is returned lives.
    pub(super) fn begin(&self) -> AtWork<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        AtWork(self)
    }

    /// Its number, while the head of a request is awaited.
    fn awaited(&self) -> Option<usize> {
        let turn = self.0.load(Ordering::Relaxed);
        turn.is_multiple_of(2).then_some(turn)
    }
}

pub(super) struct AtWork<'a>(&'a Turn);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that ends when a head does not.
pub(super) struct PromptHeads<S> {
    stream: S,
    turn: Turn,
    /// The head that has begun.
    begun: Option<Begun>,
}

struct Begun {
    turn: usize,
    deadline: Instant,
    /// Most heads come in one piece, and need none.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> PromptHeads<S> {
    pub(super) fn new(stream: S, turn: Turn) -> Self {
        Self { stream, turn, begun: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PromptHeads<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let awaited = this.turn.awaited();
        this.begun.take_if(|begun| Some(begun.turn) != awaited);
        let Some(turn) = awaited else { return outcome };
        match &mut this.begun {
            Some(begun) if outcome.is_pending() => {
                let timer = || Box::pin(sleep_until(begun.deadline));
                ready!(begun.timer.get_or_insert_with(timer).as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None if buffer.filled().len() > before => {
                let deadline = Instant::now() + PATIENCE;
                this.begun = Some(Begun { turn, deadline, timer: None });
                outcome
            }
            _ => outcome,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PromptHeads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A local client sends its head at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
