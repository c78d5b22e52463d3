//! Demotes a real-time thread that runs for too long without sleeping.
//!
//! `RealtimeKit` serves only processes that limit this time (`RLIMIT_RTTIME`). At the hard limit the
//! kernel kills the process; at the soft limit it sends SIGXCPU, whose handler demotes the thread.

use std::{io, ptr, sync::Once, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static HANDLED: Once = Once::new();

/// Limits this process's real-time threads to `longest` without sleeping, unless a lower limit is set,
/// and demotes them at half of it.
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
    let handler: extern "C" fn(libc::c_int) = demote;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `demote` has the type of a handler without SA_SIGINFO, and both pointers are valid.
    #[allow(unsafe_code)]
    let result = unsafe { libc::sigaction(libc::SIGXCPU, &raw const action, ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Demotes the calling thread: the kernel delivers the signal to the thread that overran, if it can. If
/// another thread takes it, the next signal follows within a tick, because the soft limit is still
/// exceeded.
///
/// A handler may call only async-signal-safe functions. These are system calls, and `errno` is restored.
extern "C" fn demote(_: libc::c_int) {
    let default = libc::sched_param { sched_priority: 0 };
    // Without privileges, a thread cannot clear the flag that RealtimeKit has set.
    let policy = libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK;
    // SAFETY: both pointers are valid. 0 is the calling thread.
    #[allow(unsafe_code)]
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::sched_setscheduler(0, policy, &raw const default);
        *errno = before;
    }
    // The kernel has raised the soft limit by a second, beyond the hard one. Without this, the next
    // thread that overruns would be killed without a signal.
    if let Some(maximum) = getrlimit(Resource::Rttime).maximum {
        let _ = set(maximum);
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Instant};

    use super::*;
    use crate::scheduling::{Priority, ThreadRole, has_real_time_priority, raise_priority};

    #[test]
    fn each_thread_that_overruns_is_demoted_and_the_process_survives() {
        // Once: the second thread is demoted only if the first one's signal restored the limit.
        limit(Duration::from_millis(100)).unwrap();
        for _ in 0..2 {
            let overran = thread::spawn(|| {
                if !matches!(raise_priority(ThreadRole::Relay), Ok(Priority::RealTime { .. })) {
                    println!("NOT RUN: this user may have no real-time priority. Run it as root.");
                    return;
                }
                let deadline = Instant::now() + Duration::from_secs(10);
                while has_real_time_priority() {
                    assert!(Instant::now() < deadline, "never demoted");
                }
            });
            overran.join().unwrap();
        }
    }
}
