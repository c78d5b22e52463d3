//! What waits for all clients together, and its bound.
//!
//! A client may have as much waiting as all of them leave free, so that the slowest, for whom most
//! waits, reaches its limit first, and the limit falls as the room gets slower. This is how switches
//! share one memory among their ports (dynamic thresholds: Choudhury and Hahne, 1998). It needs no list
//! of clients and no lock, and keeps the bound at every moment. When nobody reads, each of N clients has
//! the N+1st part, and so there always is room for one who has just come.
//!
//! A frame that waits for many is counted once for each, though they share its memory: what is held
//! is at most what is counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use thiserror::Error;

use crate::config::{DEFAULT_BACKLOG_MIB, MIB};

/// The bytes that wait for all clients of a relay.
#[derive(Debug)]
pub struct Backlog {
    max: usize,
    /// They guard no other memory, so the weakest ordering does.
    bytes: AtomicUsize,
}

impl Backlog {
    /// One of at most so many bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, bytes: AtomicUsize::new(0) }
    }

    /// How many bytes wait now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A client's share, of nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { backlog: self.clone(), bytes: 0 }
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self::new(DEFAULT_BACKLOG_MIB as usize * MIB)
    }
}

/// More would wait for a client than all of them leave free.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("more would wait for it than all clients leave free")]
pub(super) struct Full;

/// The bytes that wait for one client. They are given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many more wait.
    pub(super) fn grow(&mut self, count: usize) -> Result<(), Full> {
        let Backlog { max, bytes } = &*self.backlog;
        // Who had nothing waiting is not slow, and may take all that is free.
        let most = if self.bytes == 0 { *max } else { max.saturating_sub(self.bytes + count) };
        let with = |all: usize| Some(all + count).filter(|all| *all <= most);
        bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).map_err(|_| Full)?;
        self.bytes += count;
        Ok(())
    }

    /// So many have been sent or dropped.
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
    fn the_one_for_whom_most_waits_goes_first() {
        let backlog = backlog(1000);
        let (mut slow, mut quick) = (backlog.share(), backlog.share());
        assert_eq!(slow.grow(300), Ok(()));
        assert_eq!(quick.grow(100), Ok(()));
        // For one of them 400 would wait, and 500 for both.
        assert_eq!(slow.grow(100), Ok(()));
        assert_eq!(quick.grow(100), Ok(()));
        assert_eq!(slow.grow(100), Err(Full));
        assert_eq!(quick.grow(100), Ok(()), "what the slow one was refused is not counted");
        drop(slow);
        assert_eq!(backlog.bytes(), 300);
        assert_eq!(quick.grow(200), Ok(()));
    }

    #[test]
    fn one_who_has_just_come_finds_room_however_slow_the_others_are() {
        let backlog = backlog(1000);
        let mut slow: Vec<_> = (0..9).map(|_| backlog.share()).collect();
        for _ in 0..1000 {
            for share in &mut slow {
                let _ = share.grow(1);
            }
        }
        assert_eq!(backlog.bytes(), 900);
        let mut new = backlog.share();
        assert_eq!(new.grow(101), Err(Full));
        assert_eq!(new.grow(100), Ok(()));
        assert_eq!(new.grow(1), Err(Full));
    }

    #[test]
    fn what_waits_is_counted_once_however_many_threads_count() {
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
