//! The error bounds that players report to the relay, sampled throughout a run.

use std::{
    collections::HashMap,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::relay::{self, Relay};

/// Polling interval.
const EVERY: Duration = Duration::from_millis(100);

/// Claimed error bounds by the player's name: the time of each sample, in microseconds of
/// [`shared_micros`], and the bound in microseconds.
pub type Claims = HashMap<String, Vec<(u64, f64)>>;

/// Polls the relay on a thread.
#[derive(Debug)]
pub struct ClaimWatch {
    stop: Sender<()>,
    thread: JoinHandle<Claims>,
}

impl ClaimWatch {
    /// Starts polling.
    #[must_use]
    pub fn start(relay: &Relay) -> Self {
        let (stop, stopped) = channel::<()>();
        let url = relay.http_url();
        let thread = thread::spawn(move || {
            let mut claims = Claims::new();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // A request that fails on a busy machine is repeated at the next interval.
                if let Ok(health) = relay::health(&url) {
                    note(&mut claims, &health, shared_micros());
                }
            }
            claims
        });
        Self { stop, thread }
    }

    /// All claims so far.
    ///
    /// # Errors
    /// If the thread panicked.
    pub fn stop(self) -> Result<Claims> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the thread that polls the claims panicked"))
    }
}

/// The bound that was claimed at `micros`, if any.
#[must_use]
pub fn claimed_at(claims: &[(u64, f64)], micros: u64) -> Option<f64> {
    let after = claims.partition_point(|(at, _)| *at <= micros);
    claims.get(after.checked_sub(1)?).map(|(_, claim)| *claim)
}

/// Monotonic time shared by all processes of this machine, in microseconds.
#[must_use]
pub fn shared_micros() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_micros() as u64
}

fn note(claims: &mut Claims, health: &Value, now: u64) {
    for client in health["clients"].as_array().into_iter().flatten() {
        let claim = client["report"]["clock_error_micros"].as_f64();
        if let (Some(name), Some(claim)) = (client["name"].as_str(), claim) {
            claims.entry(name.to_owned()).or_default().push((now, claim));
        }
    }
}
