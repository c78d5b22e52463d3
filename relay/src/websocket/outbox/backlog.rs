//! The bound on what waits for all clients together.
//!
//! A client's queue may be as long as the space that all queues leave free. So the slowest client, whose
//! queue is the longest, reaches its limit first, and the limit falls as the room gets slower. Network
//! switches share their memory among ports in this way (dynamic thresholds: Choudhury and Hahne, 1998). It
//! needs neither a list of clients nor a lock, and the bound always holds. When nobody reads, each of N
//! clients has 1/(N+1) of the space, so that there is always space for a new client.
//!
//! A frame that waits for several clients is counted once for each, though they share its memory: what
//! is held is at most what is counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use thiserror::Error;

/// The bytes that wait for all clients of a relay.
#[derive(Debug)]
pub(crate) struct Backlog {
    max: usize,
    /// They guard no other memory, so relaxed ordering is enough.
    bytes: AtomicUsize,
}

impl Backlog {
    /// A backlog of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, bytes: AtomicUsize::new(0) }
    }

    /// How many bytes wait now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The share of a client, still empty.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { backlog: self.clone(), bytes: 0 }
    }
}

/// A client's queue would be longer than the space that all queues leave free.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the queue would exceed the space that all queues leave free")]
pub(super) struct BacklogFull;

/// The bytes that wait for one client. Dropping it releases them.
#[derive(Debug)]
pub(super) struct Share {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds bytes.
    pub(super) fn grow(&mut self, count: usize) -> Result<(), BacklogFull> {
        let Backlog { max, bytes } = &*self.backlog;
        // A client with an empty queue is not slow, and may take all free space.
        let limit = if self.bytes == 0 { *max } else { max.saturating_sub(self.bytes + count) };
        let with = |all: usize| Some(all + count).filter(|all| *all <= limit);
        bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).map_err(|_| BacklogFull)?;
        self.bytes += count;
        Ok(())
    }

    /// Releases bytes that were sent or discarded.
    pub(super) fn shrink(&mut self, count: usize) {
        self.bytes -= count;
        self.backlog.bytes.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn backlog(max: usize) -> Arc<Backlog> {
        Arc::new(Backlog::new(max))
    }

    #[test]
    fn the_longest_queue_is_refused_first() {
        let backlog = backlog(1000);
        let (mut slow, mut quick) = (backlog.share(), backlog.share());
        assert_eq!(slow.grow(300), Ok(()));
        assert_eq!(quick.grow(100), Ok(()));
        // 400 bytes for one client, 500 for both.
        assert_eq!(slow.grow(100), Ok(()));
        assert_eq!(quick.grow(100), Ok(()));
        assert_eq!(slow.grow(100), Err(BacklogFull));
        assert_eq!(quick.grow(100), Ok(()), "refused bytes are not counted");
        drop(slow);
        assert_eq!(backlog.bytes(), 300);
        assert_eq!(quick.grow(200), Ok(()));
    }

    #[test]
    fn a_new_client_finds_space_however_slow_the_others_are() {
        let backlog = backlog(1000);
        let mut slow: Vec<_> = (0..9).map(|_| backlog.share()).collect();
        for _ in 0..1000 {
            for share in &mut slow {
                let _ = share.grow(1);
            }
        }
        assert_eq!(backlog.bytes(), 900);
        let mut new = backlog.share();
        assert_eq!(new.grow(101), Err(BacklogFull));
        assert_eq!(new.grow(100), Ok(()));
        assert_eq!(new.grow(1), Err(BacklogFull));
    }

    #[test]
    fn concurrent_shares_are_counted_exactly() {
        let backlog = backlog(1000);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut share = backlog.share();
                    for step in 0..10_000 {
                        let _ = share.grow(1 + step % 7);
                        assert!(share.bytes() <= 1000);
                        if step % 5 == 0 {
                            share.shrink(share.bytes());
                        }
                    }
                });
            }
        });
        assert_eq!(backlog.bytes(), 0);
    }
}
