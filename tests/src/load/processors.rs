//! Processor affinity of threads. Linux only.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A set of processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors(CpuSet);

impl Processors {
    /// The processors that the calling thread may use. Threads and processes that it starts inherit
    /// them.
    ///
    /// # Errors
    /// If the system call fails.
    pub fn allowed() -> io::Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    /// Only the last processor of the set.
    #[must_use]
    pub fn last(&self) -> Self {
        let mut only = CpuSet::new();
        if let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|&processor| self.0.is_set(processor)) {
            only.set(last);
        }
        Self(only)
    }

    /// Restricts the calling thread to the set.
    ///
    /// # Errors
    /// If the thread may use none of them.
    pub fn pin(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.0)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_pinned_to_the_last_processor_and_released() {
        let before = Processors::allowed().unwrap();
        before.last().pin().unwrap();
        let kept = Processors::allowed().unwrap();
        assert_eq!(kept.0.count(), 1);
        assert_eq!(kept, before.last());
        before.pin().unwrap();
        assert_eq!(Processors::allowed().unwrap(), before);
    }
}
