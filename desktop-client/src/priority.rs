//! Asks the system to let the calling thread go before others, as sound servers' threads do.
//!
//! Only on Linux: elsewhere the sound system sees to its own threads, and the others do well.

/// What the calling thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It fills a device's blocks, each within a block's time.
    Audio,
    /// It takes in what the relay says: a trigger that waits for its turn is late, and an answer of
    /// the relay's clock that waits is dated wrong.
    Session,
}

/// Makes the calling thread go before others.
///
/// # Errors
/// In words, if the system does not allow it to this user. All goes on without it, but is the first
/// to suffer when the machine is busy.
#[cfg(target_os = "linux")]
pub fn raise(urgency: Urgency) -> Result<(), String> {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    // PulseAudio's own threads run at 5: below the kernel's, above all that does not sound.
    let level: u8 = match urgency {
        Urgency::Audio => 5,
        Urgency::Session => 4,
    };
    let refused = |error: &dyn std::fmt::Debug| format!("no real-time priority ({error:?})");
    let level = level.try_into().map(ThreadPriority::Crossplatform).map_err(|e| refused(&e))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), level, policy).map_err(|e| refused(&e))
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn raise(_: Urgency) -> Result<(), String> {
    Ok(())
}
