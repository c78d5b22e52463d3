//! On which processors a thread runs. Linux only.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Some of the machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors(CpuSet);

impl Processors {
    /// Those that the calling thread may use. Threads and processes that it starts may use the same.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn allowed() -> io::Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    /// The last of them, and no other.
    #[must_use]
    pub fn last(&self) -> Self {
        let mut only = CpuSet::new();
        if let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|&processor| self.0.is_set(processor)) {
            only.set(last);
        }
        Self(only)
    }

    /// Keeps the calling thread to them.
    ///
    /// # Errors
    /// If it may not use any of them.
    pub fn keep_to(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.0)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_to_the_last_and_is_let_go() {
        let before = Processors::allowed().unwrap();
        before.last().keep_to().unwrap();
        let kept = Processors::allowed().unwrap();
        assert_eq!(kept.0.count(), 1);
        assert_eq!(kept, before.last());
        before.keep_to().unwrap();
        assert_eq!(Processors::allowed().unwrap(), before);
    }
}
