//! Asks the system to let the calling thread go before others, as sound servers' threads do; for the
//! relay and the players.
//!
//! Only on Linux: elsewhere the sound system sees to its own threads, and the others do well. Whoever
//! does what can wait must not ask, nor whoever has much to do: all else would stand still.

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
    /// It writes to all clients, one after the other: each of them waits for all before it. Unlike the
    /// others it has much to do, and so takes most of a processor's time, but never all.
    Writer,
}

/// Makes the calling thread go before others. Threads that it starts from now on go before others
/// too, unless they [give way](give_way).
///
/// # Errors
/// In words, if the system does not allow it to this user. All goes on without it, but is the first
/// to suffer when the machine is busy.
#[cfg(target_os = "linux")]
pub fn raise(urgency: Urgency) -> Result<(), String> {
    use thread_priority::{
        NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadSchedulePolicy,
    };

    let at_once = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    let (level, policy) = match urgency {
        // PulseAudio's own threads run at 5: below the kernel's, above all that does not sound.
        Urgency::Audio => (5, at_once),
        Urgency::Session => (4, at_once),
        Urgency::Relay => (3, at_once),
        // Of 100 levels, the one that is a niceness of -11, as PulseAudio's own process has.
        Urgency::Writer => (76, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other)),
    };
    set(level, policy)
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
    set(49, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other))
}

#[cfg(target_os = "linux")]
fn set(level: u8, policy: thread_priority::ThreadSchedulePolicy) -> Result<(), String> {
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    let level = ThreadPriority::Crossplatform(level.try_into()?);
    set_thread_priority_and_policy(thread_native_id(), level, policy)
        .map_err(|error| format!("no such priority ({error:?})"))
}

/// Leaves the calling thread as it is.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn raise(_: Urgency) -> Result<(), String> {
    Ok(())
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
    use thread_priority::{
        NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadSchedulePolicy,
        thread_schedule_policy,
    };

    use super::*;

    #[test]
    fn one_with_much_to_do_keeps_to_the_usual_turns() {
        std::thread::spawn(|| {
            // Whether it may or not.
            let _ = raise(Urgency::Writer);
            let usual = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
            assert_eq!(thread_schedule_policy(), Ok(usual));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_goes_before_others_until_it_gives_way() {
        // On a thread of its own: what it leaves behind is nobody's.
        let told = std::thread::spawn(|| {
            let usual = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
            if raise(Urgency::Relay).is_err() {
                // This user may not; then nothing has changed.
                assert_eq!(thread_schedule_policy(), Ok(usual));
                return;
            }
            let raised = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
            assert_eq!(thread_schedule_policy(), Ok(raised));
            let theirs = std::thread::spawn(move || {
                assert_eq!(thread_schedule_policy(), Ok(raised));
                assert_eq!(give_way(), Ok(()));
                thread_schedule_policy()
            });
            assert_eq!(theirs.join().unwrap(), Ok(usual));
        });
        told.join().unwrap();
    }
}
