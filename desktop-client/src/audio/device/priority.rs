//! Asks the system to let the calling thread go before others, as sound servers' threads do.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The least urgent of the urgent ones that PulseAudio's own threads run at: below the kernel's,
/// above all that does not sound.
const PRIORITY: u8 = 5;

/// Makes the calling thread go before others.
///
/// # Errors
/// In words, if the system does not allow it to this user. Sound goes on without it, but is the
/// first to suffer when the machine is busy.
pub(super) fn raise() -> Result<(), String> {
    let refused = |error: &dyn std::fmt::Debug| format!("no real-time priority ({error:?})");
    let priority =
        PRIORITY.try_into().map(ThreadPriority::Crossplatform).map_err(|e| refused(&e))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), priority, policy).map_err(|e| refused(&e))
}
