//! Real-time priority and processor affinity of the calling thread.
//!
//! Only on Linux; elsewhere these functions do nothing, because the sound system raises its own threads
//! and the others do well without.
//!
//! A thread whose work can wait must not ask for priority. A thread with much work may, if it works in
//! bounded parts and sleeps between them: all threads of lower priority wait meanwhile.

#[cfg(target_os = "linux")]
mod overrun;
#[cfg(target_os = "linux")]
mod rtkit;

use std::fmt;

/// What the calling thread does, which decides its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadRole {
    /// Fills an audio device's blocks, each within the duration of one.
    Audio,
    /// Receives what the relay sends. A trigger that waits for this thread is late, and a probe's reply
    /// that waits spoils the clock estimate.
    Session,
    /// Receives what all clients send and answers each within microseconds: every client waits for
    /// this thread.
    Relay,
    /// Writes to many clients, under locks that [`Relay`](Self::Relay)'s thread takes too. A preempted
    /// lock holder would block that thread (priority inversion), so it runs directly below it.
    Writer,
}

/// The priority that a thread got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The policy `SCHED_RR`.
    RealTime {
        /// 1 to 99.
        level: u32,
        /// Granted by `RealtimeKit`, because the user's limits refuse it.
        by_rtkit: bool,
    },
    /// The system's default: not on Linux.
    Default,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RealTime { level, by_rtkit: false } => write!(f, "SCHED_RR {level}"),
            Self::RealTime { level, by_rtkit: true } => write!(f, "SCHED_RR {level} (rtkit)"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Gives the calling thread a real-time priority: within the user's limits (`ulimit -r`), else from
/// `RealtimeKit`, which gets one second to answer. Threads started from now on may inherit the priority;
/// [`reset_priority`] removes it.
///
/// # Errors
/// If the system does not allow it to this user; the message says what to do. The thread works without
/// it, but is delayed when the machine is busy.
#[cfg(target_os = "linux")]
pub fn raise_priority(role: ThreadRole) -> Result<Priority, String> {
    use thread_priority::{RealtimeThreadSchedulePolicy, ThreadSchedulePolicy};

    let level: u8 = match role {
        // PulseAudio's own threads run at 5: below the kernel's, above everything that makes no sound.
        ThreadRole::Audio => 5,
        ThreadRole::Session => 4,
        ThreadRole::Relay => 3,
        ThreadRole::Writer => 2,
    };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    if set(level, policy).is_ok() {
        return Ok(Priority::RealTime { level: level.into(), by_rtkit: false });
    }
    match rtkit::raise(level.into()) {
        Ok(level) => Ok(Priority::RealTime { level, by_rtkit: true }),
        Err(refused) => Err(format!("{refused}; raise `ulimit -r` or install rtkit")),
    }
}

/// Whether the calling thread has a real-time priority now. A thread can lose it by running for too long
/// without sleeping.
#[cfg(target_os = "linux")]
#[must_use]
pub fn has_real_time_priority() -> bool {
    // SAFETY: the call has no preconditions. 0 is the calling thread.
    #[allow(unsafe_code)]
    let policy = unsafe { libc::sched_getscheduler(0) };
    // An error (-1) matches no policy.
    [libc::SCHED_RR, libc::SCHED_FIFO].contains(&(policy & !libc::SCHED_RESET_ON_FORK))
}

/// Returns the calling thread to the default policy, if it was raised or inherited a priority.
///
/// # Errors
/// If the system refuses.
#[cfg(target_os = "linux")]
pub fn reset_priority() -> Result<(), String> {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
    };

    if let Ok(ThreadSchedulePolicy::Normal(_)) = thread_schedule_policy() {
        return Ok(());
    }
    // The level of 0 to 99 that the crate maps to a niceness of 0.
    set(48, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other))
}

#[cfg(target_os = "linux")]
fn set(level: u8, policy: thread_priority::ThreadSchedulePolicy) -> Result<(), String> {
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    let level = ThreadPriority::Crossplatform(level.try_into()?);
    set_thread_priority_and_policy(thread_native_id(), level, policy)
        .map_err(|error| format!("no such priority ({error:?})"))
}

/// Pins the calling thread to the processor at `index` of those that it may use, if there are exactly
/// `count`. For `count` threads that work at the same time: when they are woken in quick succession, the
/// scheduler may put two of them on one processor beside an idle one.
///
/// # Errors
/// If the number of processors is not `count`, or the system refuses.
#[cfg(target_os = "linux")]
pub fn pin_to_processor(index: usize, count: usize) -> Result<(), String> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None).map_err(|error| error.to_string())?;
    let mut processors = (0..CpuSet::MAX_CPU).filter(|&processor| allowed.is_set(processor));
    if processors.clone().count() != count {
        return Err(format!("the process may not use exactly {count} processors"));
    }
    let processor = processors.nth(index).ok_or_else(|| format!("no processor {index}"))?;
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only).map_err(|error| error.to_string())
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn pin_to_processor(_: usize, _: usize) -> Result<(), String> {
    Ok(())
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn raise_priority(_: ThreadRole) -> Result<Priority, String> {
    Ok(Priority::Default)
}

/// Always false.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn has_real_time_priority() -> bool {
    false
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn reset_priority() -> Result<(), String> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;
    use thread_priority::{
        NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadSchedulePolicy,
        thread_schedule_policy,
    };

    use super::*;

    #[test]
    fn as_many_threads_as_processors_are_pinned_to_one_each() {
        use rustix::thread::sched_getaffinity;

        let allowed = sched_getaffinity(None).unwrap().count() as usize;
        let one_each = (0..allowed).map(|place| {
            std::thread::spawn(move || {
                assert!(pin_to_processor(place, allowed + 1).is_err());
                assert_eq!(pin_to_processor(place, allowed), Ok(()));
                let mine = sched_getaffinity(None).unwrap();
                assert_eq!(mine.count(), 1);
                (0..1024).find(|&processor| mine.is_set(processor)).unwrap()
            })
        });
        let mut places: Vec<usize> = one_each.map(|thread| thread.join().unwrap()).collect();
        places.dedup();
        assert_eq!(places.len(), allowed);
    }

    #[test]
    fn a_raised_thread_keeps_its_priority_until_it_resets_it() {
        // On a thread of its own, so that no other test inherits the priority.
        let raised = std::thread::spawn(|| {
            let default = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
            let got = raise_priority(ThreadRole::Relay);
            assert_eq!(has_real_time_priority(), got.is_ok());
            let Ok(Priority::RealTime { by_rtkit: false, .. }) = got else {
                // Either refused, or granted by rtkit, whose priority is not inherited.
                assert!(!std::thread::spawn(has_real_time_priority).join().unwrap());
                return;
            };
            let real_time =
                ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
            assert_eq!(thread_schedule_policy(), Ok(real_time));
            let inherited = std::thread::spawn(move || {
                assert_eq!(thread_schedule_policy(), Ok(real_time));
                assert_eq!(reset_priority(), Ok(()));
                assert_eq!(getpriority_process(None), Ok(0));
                thread_schedule_policy()
            });
            assert_eq!(inherited.join().unwrap(), Ok(default));
        });
        raised.join().unwrap();
    }
}
