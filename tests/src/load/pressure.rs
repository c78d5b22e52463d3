//! What delayed a delivery, by the kernel's counters: run-queue waits, major page faults, steal
//! time of the virtual machine, and TCP retransmissions.
//!
//! The difference of two snapshots is reported. Linux only: reads `/proc`.

use std::{collections::BTreeMap, fmt, fs};

use anyhow::{Context, Result};

/// Counters of `/proc/net/netstat` and `/proc/net/snmp` that count losses and delays.
const NETWORK: [&str; 6] = [
    "RetransSegs",
    "TCPTimeouts",
    "TCPBacklogDrop",
    "TCPRcvQDrop",
    "ListenDrops",
    "TCPMemoryPressures",
];

/// The counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Nanoseconds that each thread was runnable and waited for a processor.
    waited: BTreeMap<String, u64>,
    /// Major page faults.
    major_faults: u64,
    /// Steal time, in nanoseconds.
    stolen: u64,
    network: BTreeMap<&'static str, u64>,
}

impl Snapshot {
    /// Reads the counters of the processes with these names and ids.
    ///
    /// # Errors
    /// If a process does not exist, or a counter cannot be read.
    pub fn take(processes: &[(&str, u32)]) -> Result<Self> {
        let mut snapshot = Self { stolen: stolen()?, network: network()?, ..Self::default() };
        for (name, pid) in processes {
            let folder = format!("/proc/{pid}/task");
            for thread in fs::read_dir(&folder).with_context(|| folder.clone())? {
                let path = thread?.path();
                // A thread may end between the listing and the read.
                let (Ok(comm), Ok(schedstat)) = (
                    fs::read_to_string(path.join("comm")),
                    fs::read_to_string(path.join("schedstat")),
                ) else {
                    continue;
                };
                let waited =
                    schedstat.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
                let thread = format!("{name}/{}", comm.trim());
                *snapshot.waited.entry(thread).or_default() += waited.context("schedstat")?;
            }
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // The name before may contain spaces; it ends with the last bracket.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let faults =
                fields.split_whitespace().nth(9).and_then(|field| field.parse::<u64>().ok());
            snapshot.major_faults += faults.context("the faults of a process")?;
        }
        Ok(snapshot)
    }

    /// The difference to `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Pressure {
        let waited = self.waited.iter().map(|(thread, now)| {
            let before = earlier.waited.get(thread).copied().unwrap_or_default();
            (thread.clone(), now.saturating_sub(before))
        });
        let network = self.network.iter().map(|(name, now)| {
            (*name, now.saturating_sub(earlier.network.get(name).copied().unwrap_or_default()))
        });
        Pressure(Self {
            waited: waited.collect(),
            major_faults: self.major_faults - earlier.major_faults.min(self.major_faults),
            stolen: self.stolen.saturating_sub(earlier.stolen),
            network: network.collect(),
        })
    }
}

/// The difference of two snapshots.
#[derive(Clone, Debug)]
pub struct Pressure(Snapshot);

impl Pressure {
    /// Total time that threads waited for a processor, or the machine for its host, in
    /// milliseconds.
    #[must_use]
    pub fn starved_millis(&self) -> f64 {
        (self.0.waited.values().sum::<u64>() + self.0.stolen) as f64 / 1e6
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Snapshot { waited, major_faults, stolen, network }) = self;
        write!(f, "waited for a processor:")?;
        for (thread, nanos) in waited.iter().filter(|(_, nanos)| **nanos >= 1_000_000) {
            write!(f, " {thread} {:.0} ms,", *nanos as f64 / 1e6)?;
        }
        write!(f, " the machine {:.0} ms; pages from disk: {major_faults}", *stolen as f64 / 1e6)?;
        for (name, count) in network.iter().filter(|(_, count)| **count > 0) {
            write!(f, "; {name} {count}")?;
        }
        Ok(())
    }
}

fn stolen() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let cpu = stat.lines().next().context("/proc/stat is empty")?;
    // In units of USER_HZ, which is 100 on every current architecture.
    let ticks = cpu.split_whitespace().nth(8).and_then(|field| field.parse::<u64>().ok());
    Ok(ticks.unwrap_or_default() * 10_000_000)
}

fn network() -> Result<BTreeMap<&'static str, u64>> {
    let mut counters = BTreeMap::new();
    for file in ["/proc/net/netstat", "/proc/net/snmp"] {
        let text = fs::read_to_string(file)?;
        let mut lines = text.lines();
        // A line of names precedes a line of numbers in the same order.
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            for (name, number) in names.split(' ').zip(numbers.split(' ')) {
                if let Some(name) = NETWORK.iter().find(|known| **known == name) {
                    counters.insert(*name, number.parse().with_context(|| name.to_string())?);
                }
            }
        }
    }
    Ok(counters)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn two_snapshots_of_this_process_are_compared() {
        let this = [("this", std::process::id())];
        let before = Snapshot::take(&this).unwrap();
        assert!(!before.waited.is_empty());
        assert!(NETWORK.iter().all(|name| before.network.contains_key(name)), "{before:?}");
        let mut after = before.clone();
        *after.waited.values_mut().next().unwrap() += 7_000_000;
        let pressure = after.since(&before);
        assert!((pressure.starved_millis() - 7.0).abs() < 1e-9);
        assert!(pressure.to_string().contains(" 7 ms,"), "{pressure}");
    }
}
