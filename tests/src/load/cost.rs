//! Resource use of a process, as the kernel accounts it. Linux only: reads `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use nix::{time::ClockId, unistd::Pid};

/// Processor time of all threads of a process since its start, in nanoseconds.
///
/// Reads the process's CPU-time clock. `/proc/PID/stat` has a resolution of 10 ms, and the
/// per-thread files disappear with their threads.
///
/// # Errors
/// If there is no such process.
pub fn processor_nanos(pid: u32) -> Result<u64> {
    let process = Pid::from_raw(pid.try_into()?);
    let used = ClockId::pid_cpu_clock_id(process).and_then(ClockId::now);
    let used = Duration::from(used.with_context(|| format!("the processor time of {pid}"))?);
    Ok(used.as_nanos().try_into()?)
}

/// Proportional set size (PSS) of a process, in bytes.
///
/// # Errors
/// If there is no such process.
pub fn memory_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{path} has no Pss"))? * 1024)
}

/// File descriptors that a process has open.
///
/// # Errors
/// If there is no such process.
pub fn open_files(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| path.clone())?.count())
}

/// Raises the limit on open files of this process and its children to the hard limit.
///
/// # Errors
/// If the hard limit is less than `needed`.
pub fn allow_open_files(needed: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let enough = limit.maximum.is_none_or(|maximum| maximum >= needed);
    anyhow::ensure!(
        enough,
        "{needed} open files are needed, and the hard limit is {:?}: raise it with `ulimit -Hn`, \
         or measure fewer clients",
        limit.maximum
    );
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_and_memory_of_a_process_are_counted() {
        let pid = std::process::id();
        let before = processor_nanos(pid).unwrap();
        let work = Duration::from_millis(20);
        let worker = std::thread::spawn(move || {
            let own = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
            while own() < work {}
        });
        worker.join().unwrap();
        let used = Duration::from_nanos(processor_nanos(pid).unwrap() - before);
        assert!(used >= work, "the time of an ended thread is still counted: {used:?}");
        let before = memory_bytes(pid).unwrap();
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(memory_bytes(pid).unwrap() > before + (32 << 20));
        drop(held);
        assert!(open_files(pid).unwrap() >= 3);
    }
}
