//! Lowers a thread that runs at a real-time priority for too long without sleeping.
//!
//! `RealtimeKit` serves only processes that limit this time (`RLIMIT_RTTIME`). At the hard limit the
//! kernel kills the process; at the soft limit it sends SIGXCPU, whose handler lowers the thread.

use std::{io, ptr, sync::Once, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static HANDLED: Once = Once::new();

/// Allows this process's real-time threads `longest` without sleeping, if less is not set already, and
/// has them lowered at half of it.
pub(crate) fn limit(longest: Duration) -> io::Result<()> {
    let mut handled = Ok(());
    HANDLED.call_once(|| handled = handle());
    handled?;
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    let present = getrlimit(Resource::Rttime).maximum;
    Ok(set(present.map_or(micros, |present| present.min(micros)))?)
}

fn set(maximum: u64) -> rustix::io::Result<()> {
    setrlimit(Resource::Rttime, Rlimit { current: Some(maximum / 2), maximum: Some(maximum) })
}

fn handle() -> io::Result<()> {
    // SAFETY: a `sigaction` of zeros is valid: no flags, an empty mask.
    #[allow(unsafe_code)]
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int) = lower;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `lower` has the type of a handler without SA_SIGINFO, and both pointers are valid.
    #[allow(unsafe_code)]
    let result = unsafe { libc::sigaction(libc::SIGXCPU, &raw const action, ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lowers the calling thread: the kernel prefers the one that overran. If another one takes the signal,
/// the next signal follows within a tick, because the soft limit is exceeded still.
///
/// A handler may do only what is async-signal-safe. These are system calls, and `errno` is restored.
extern "C" fn lower(_: libc::c_int) {
    let usual = libc::sched_param { sched_priority: 0 };
    // Without privileges, a thread cannot clear the flag that RealtimeKit has set.
    let policy = libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK;
    // SAFETY: both pointers are valid. 0 is the calling thread.
    #[allow(unsafe_code)]
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::sched_setscheduler(0, policy, &raw const usual);
        *errno = before;
    }
    // The kernel has put the soft limit a second further, beyond the hard one. The next thread that
    // overruns would be killed without a signal.
    if let Some(maximum) = getrlimit(Resource::Rttime).maximum {
        let _ = set(maximum);
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Instant};

    use super::*;
    use crate::{Urgency, is_raised, raise};

    #[test]
    fn each_thread_that_overruns_is_lowered_and_the_process_lives() {
        // Once: the second thread is lowered only if the first one's signal left the limit as it was.
        limit(Duration::from_millis(100)).unwrap();
        for _ in 0..2 {
            let overran = thread::spawn(|| {
                if !matches!(raise(Urgency::Relay), Ok(crate::Priority::RealTime { .. })) {
                    println!("NOT RUN: this user may have no real-time priority. Run it as root.");
                    return;
                }
                let deadline = Instant::now() + Duration::from_secs(10);
                while is_raised() {
                    assert!(Instant::now() < deadline, "it was never lowered");
                }
            });
            overran.join().unwrap();
        }
    }
}
