//! Busy loops that compete with the measured server for the processors.

use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Threads that spin until this is dropped.
pub struct BusyLoops {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl BusyLoops {
    /// Starts `count` threads on the processors that the calling thread may use.
    pub fn start(count: usize) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let spin = |_| {
            let end = end.clone();
            thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let threads = (0..count).map(spin).collect();
        Self { end, threads }
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A loop does not panic.
            let _ = thread.join();
        }
    }
}
