//! Asks the system to let the calling thread go before others, as sound servers' threads do; for the
//! relay and the players.
//!
//! Only on Linux: elsewhere the sound system sees to its own threads, and the others do well. Whoever
//! does what can wait must not ask. Whoever has much to do may, but must do it in bounded parts and
//! sleep between them: all that was not raised waits meanwhile.

#[cfg(target_os = "linux")]
mod overrun;
#[cfg(target_os = "linux")]
mod rtkit;

use std::fmt;

/// What the calling thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It fills a device's blocks, each within a block's time.
    Audio,
    /// It takes in what the relay says: a trigger that waits for its turn is late, and an answer of
    /// the relay's clock that waits is dated wrong.
    Session,
    /// It takes in what all clients say, and answers each within microseconds: what waits for it is
    /// a whole room.
    Relay,
    /// It writes to many clients, under locks that [`Relay`](Self::Relay)'s thread takes too: a holder
    /// that waited for its turn would keep that one waiting. So it goes before all that was not raised,
    /// and directly after the one that it might keep.
    Writer,
}

/// What a thread got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The policy `SCHED_RR`.
    RealTime {
        /// Of 1 to 99.
        level: u32,
        /// Granted by `RealtimeKit`, because the user's limits do not allow it.
        by_rtkit: bool,
    },
    /// Not on Linux: the sound system sees to its own threads.
    Usual,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RealTime { level, by_rtkit: false } => write!(f, "SCHED_RR {level}"),
            Self::RealTime { level, by_rtkit: true } => write!(f, "SCHED_RR {level} (rtkit)"),
            Self::Usual => f.write_str("usual"),
        }
    }
}

/// Makes the calling thread go before others: by the user's own limits, else by `RealtimeKit`, which is
/// waited for a second at most. Threads that it starts from now on may go before others too, unless
/// they [give way](give_way).
///
/// # Errors
/// In words, with what to do, if the system does not allow it to this user. All goes on without it, but
/// is the first to suffer when the machine is busy.
#[cfg(target_os = "linux")]
pub fn raise(urgency: Urgency) -> Result<Priority, String> {
    use thread_priority::{RealtimeThreadSchedulePolicy, ThreadSchedulePolicy};

    let level: u8 = match urgency {
        // PulseAudio's own threads run at 5: below the kernel's, above all that does not sound.
        Urgency::Audio => 5,
        Urgency::Session => 4,
        Urgency::Relay => 3,
        Urgency::Writer => 2,
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

/// Whether the calling thread has a real-time priority at this moment: one that has got it can lose it
/// by running for too long without sleeping.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_raised() -> bool {
    // SAFETY: it has no preconditions. 0 is the calling thread.
    #[allow(unsafe_code)]
    let policy = unsafe { libc::sched_getscheduler(0) };
    // An error is no policy either.
    [libc::SCHED_RR, libc::SCHED_FIFO].contains(&(policy & !libc::SCHED_RESET_ON_FORK))
}

/// Makes the calling thread take its turn again, if it was raised, or inherits it.
///
/// # Errors
/// In words, if the system refuses even that.
#[cfg(target_os = "linux")]
pub fn give_way() -> Result<(), String> {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
    };

    if let Ok(ThreadSchedulePolicy::Normal(_)) = thread_schedule_policy() {
        return Ok(());
    }
    // Of 100 levels, the one that is a niceness of 0.
    set(48, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other))
}

#[cfg(target_os = "linux")]
fn set(level: u8, policy: thread_priority::ThreadSchedulePolicy) -> Result<(), String> {
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    let level = ThreadPriority::Crossplatform(level.try_into()?);
    set_thread_priority_and_policy(thread_native_id(), level, policy)
        .map_err(|error| format!("no such priority ({error:?})"))
}

/// Keeps the calling thread to one of the processors that it may use, if these are `count`: to the one
/// at `place`, from 0. For `count` threads that are to work at the same time: when they are woken one
/// right after the other, the system may let two of them take turns beside an idle processor.
///
/// # Errors
/// In words, if they are not so many, or the system does not let it.
#[cfg(target_os = "linux")]
pub fn keep_to(place: usize, count: usize) -> Result<(), String> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None).map_err(|error| error.to_string())?;
    let mut processors = (0..CpuSet::MAX_CPU).filter(|&processor| allowed.is_set(processor));
    if processors.clone().count() != count {
        return Err(format!("it may not use {count} processors"));
    }
    let processor = processors.nth(place).ok_or_else(|| format!("no processor {place}"))?;
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only).map_err(|error| error.to_string())
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn keep_to(_: usize, _: usize) -> Result<(), String> {
    Ok(())
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn raise(_: Urgency) -> Result<Priority, String> {
    Ok(Priority::Usual)
}

/// Never: nothing is raised.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_raised() -> bool {
    false
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn give_way() -> Result<(), String> {
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
    fn as_many_threads_as_processors_have_one_each() {
        use rustix::thread::sched_getaffinity;

        let allowed = sched_getaffinity(None).unwrap().count() as usize;
        let one_each = (0..allowed).map(|place| {
            std::thread::spawn(move || {
                assert!(keep_to(place, allowed + 1).is_err());
                assert_eq!(keep_to(place, allowed), Ok(()));
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
    fn a_thread_goes_before_others_until_it_gives_way() {
        // On a thread of its own: what it leaves behind is nobody's.
        let told = std::thread::spawn(|| {
            let usual = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
            let got = raise(Urgency::Relay);
            assert_eq!(is_raised(), got.is_ok());
            let Ok(Priority::RealTime { by_rtkit: false, .. }) = got else {
                // Either it got nothing, or what rtkit gives, which other threads do not inherit.
                assert!(!std::thread::spawn(is_raised).join().unwrap());
                return;
            };
            let raised = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
            assert_eq!(thread_schedule_policy(), Ok(raised));
            let theirs = std::thread::spawn(move || {
                assert_eq!(thread_schedule_policy(), Ok(raised));
                assert_eq!(give_way(), Ok(()));
                assert_eq!(getpriority_process(None), Ok(0));
                thread_schedule_policy()
            });
            assert_eq!(theirs.join().unwrap(), Ok(usual));
        });
        told.join().unwrap();
    }
}
