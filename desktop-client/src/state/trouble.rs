//! The trouble that a machine of the room is in: what is wrong, and what to do about it, in words.
//!
//! Pure: from what the relay tells about the machine, and the time. All of the window says the same.

use std::cmp::Reverse;

use downbeat_protocol::{AwayEntry, ClientKind, Report};

use super::{incidents::Incidents, room::plays_bank};
use crate::{
    sync_status::LOOSE_MICROS,
    time::{LocalTime, format_micros},
};

/// The program and version that this one compares others with.
const OWN_CLIENT: &str = concat!("downbeat/", env!("CARGO_PKG_VERSION"));

/// Fewer missed blocks within the last minutes are no trouble: an output misses a few while it opens.
const MANY_XRUNS: u64 = 10;

/// Missing sounds that are named.
const NAMED_SOUNDS: usize = 3;

/// What is wrong with a machine, in the order of severity, the worst first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has no output.
    NoOutput,
    /// It does not know relay time, and so not when to sound.
    NoClock,
    /// It cannot play all sounds.
    NotReady {
        /// How many it can play; none while it has a former bank.
        ready: Option<u32>,
        /// How many there are.
        sounds: u32,
        /// The first of the others, by name.
        missing: Vec<String>,
    },
    /// It needs more lead than the relay gives.
    Straggler {
        /// The lead that it needs, if it said.
        needed_micros: Option<u32>,
    },
    /// Its last sound started late, within the last minutes.
    Late {
        /// How late.
        micros: u32,
    },
    /// Its timing is only known within this bound, which can be heard.
    Loose {
        /// The bound.
        micros: u32,
    },
    /// Its output misses blocks.
    Xruns {
        /// How many within the last minutes.
        blocks: u64,
    },
    /// It runs another version of this program.
    OtherVersion {
        /// Its program and version.
        client: String,
    },
    /// It is not connected.
    Away,
}

impl Trouble {
    /// Whether sounds are missing or heard apart. Otherwise it is only worth knowing.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        !matches!(self, Self::Xruns { .. } | Self::OtherVersion { .. } | Self::Away)
    }

    /// Its place in the order of severity: the kind, then how bad it is. The worst is the least.
    fn rank(&self) -> (u8, Reverse<u64>) {
        let (kind, extent) = match self {
            Self::NoOutput => (0, 0),
            Self::NoClock => (1, 0),
            Self::NotReady { ready, sounds, .. } => {
                (2, sounds.saturating_sub(ready.unwrap_or(0)).into())
            }
            Self::Straggler { needed_micros } => (3, needed_micros.unwrap_or(0).into()),
            Self::Late { micros } => (4, (*micros).into()),
            Self::Loose { micros } => (5, (*micros).into()),
            Self::Xruns { blocks } => (6, *blocks),
            Self::OtherVersion { .. } => (7, 0),
            Self::Away => (8, 0),
        };
        (kind, Reverse(extent))
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::NoOutput => "no output".to_owned(),
            Self::NoClock => "syncing".to_owned(),
            Self::NotReady { ready: None, .. } => "loading the new sounds".to_owned(),
            Self::NotReady { ready: Some(ready), sounds, missing } => {
                let named = missing.iter().take(NAMED_SOUNDS).map(String::as_str);
                let named = named.collect::<Vec<_>>().join(", ");
                let more = if missing.len() > NAMED_SOUNDS { ", …" } else { "" };
                let lacks =
                    if named.is_empty() { String::new() } else { format!(": lacks {named}{more}") };
                format!("{ready} of {sounds} sounds ready{lacks}")
            }
            Self::Straggler { needed_micros: Some(micros) } => {
                format!("starts late: needs {} of lead", format_micros((*micros).into()))
            }
            Self::Straggler { needed_micros: None } => "starts late".to_owned(),
            Self::Late { micros } => format!("last sound {} late", format_micros((*micros).into())),
            Self::Loose { micros } => format!("only ±{}", format_micros((*micros).into())),
            Self::Xruns { blocks } => format!("{blocks} blocks missed in 5 min"),
            Self::OtherVersion { client } => format!("runs {client}"),
            Self::Away => "not connected".to_owned(),
        }
    }

    /// What to do about it, in a sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoOutput => "Connect or choose an output there, or restart its output from here.",
            Self::NoClock => {
                "It takes some seconds after it has connected. If it stays so, its network is too \
                 unsteady: use a cable."
            }
            Self::NotReady { ready: None, .. } => {
                "Wait until it has loaded them. If it stays so, its network is too slow."
            }
            Self::NotReady { .. } => {
                "Wait until it has loaded them. If it stays so, look there why a sound fails, or give \
                 it more memory (--sound-memory-mib)."
            }
            Self::Straggler { .. } => {
                "Use an output with less latency there, or a cable instead of a wireless network; or \
                 start the relay with a larger --max-lead-ms."
            }
            Self::Late { .. } => {
                "A single late sound needs nothing. If it repeats, the network is unsteady: use a cable."
            }
            Self::Loose { .. } => {
                "Its network or its output is unsteady: use a cable, or another output."
            }
            Self::Xruns { .. } => {
                "The machine is busy: end other programs there, or give its output more latency \
                 (--output-latency-ms)."
            }
            Self::OtherVersion { .. } => "Use the same version on all machines.",
            Self::Away => "Start it there, or forget it if it will not come back.",
        }
    }
}

/// What is known of a connected client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) kind: ClientKind,
    /// Its program and version; unknown unless the room is watched.
    pub(super) client: Option<&'a str>,
    pub(super) straggler: bool,
    pub(super) report: Option<&'a Report>,
    pub(super) incidents: Option<&'a Incidents>,
}

/// The bank that players should have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bank {
    pub(super) number: u64,
    pub(super) sounds: u32,
}

/// The troubles of a connected client, the worst first.
pub(super) fn troubles(known: Known<'_>, bank: Bank, now: LocalTime) -> Vec<Trouble> {
    let mut found = Vec::new();
    if let Some(report) = known.report.filter(|_| plays_bank(known.kind)) {
        find_in_report(&mut found, report, bank);
        let incidents = known.incidents;
        if let Some(micros) = report.lateness_micros.filter(|micros| *micros > 0)
            && incidents.is_some_and(|incidents| incidents.is_late(now))
        {
            found.push(Trouble::Late { micros });
        }
        let blocks = incidents.map_or(0, |incidents| incidents.xruns(now));
        if blocks >= MANY_XRUNS {
            found.push(Trouble::Xruns { blocks });
        }
    }
    if known.straggler {
        let needed_micros = known.report.and_then(|report| report.lead_micros);
        found.push(Trouble::Straggler { needed_micros });
    }
    // Other programs, and the page, which the relay serves, have versions of their own.
    let is_other = |client: &&str| client.starts_with("downbeat/") && *client != OWN_CLIENT;
    if let Some(client) = known.client.filter(is_other) {
        found.push(Trouble::OtherVersion { client: client.to_owned() });
    }
    found.sort_by_key(Trouble::rank);
    found
}

/// Finds what a report says of the present.
fn find_in_report(found: &mut Vec<Trouble>, report: &Report, bank: Bank) {
    if report.latency_micros.is_none() && report.output.is_none() {
        found.push(Trouble::NoOutput);
    }
    match report.clock_error_micros {
        None => found.push(Trouble::NoClock),
        Some(micros) if micros > LOOSE_MICROS => found.push(Trouble::Loose { micros }),
        Some(_) => {}
    }
    if let Some(known) = report.bank {
        let ready = report.ready.filter(|_| known == bank.number);
        let sounds = bank.sounds;
        if ready.is_none_or(|ready| ready < sounds) {
            let missing = if ready.is_some() { report.missing.clone() } else { Vec::new() };
            found.push(Trouble::NotReady { ready, sounds, missing });
        }
    }
}

/// The order of machines by their trouble: those with the worst come first.
#[must_use]
pub fn severity(troubles: &[Trouble]) -> impl Ord + use<> {
    // A machine without any comes after all others.
    (troubles.is_empty(), troubles.first().map(Trouble::rank))
}

/// The trouble of a machine that is not connected. One without a seat is not expected anywhere.
#[must_use]
pub fn trouble_of_away(machine: &AwayEntry) -> Option<Trouble> {
    machine.seat.map(|_| Trouble::Away)
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientId, MachineEntry, MachineNumber, Rights};

    use super::*;

    fn healthy() -> Report {
        Report {
            lead_micros: Some(14_200),
            clock_error_micros: Some(35),
            latency_micros: Some(10_400),
            triggers: 12,
            late: 3,
            lateness_micros: Some(0),
            xruns: 2,
            bank: Some(3),
            ready: Some(14),
            output: Some("HDA Intel PCH".to_owned()),
            ..Report::default()
        }
    }

    fn client(report: Option<Report>) -> MachineEntry {
        MachineEntry {
            id: ClientId(7),
            machine: None,
            name: "lab-3".to_owned(),
            kind: ClientKind::Window,
            client: OWN_CLIENT.to_owned(),
            rights: Rights::Player,
            seat: None,
            place: None,
            tags: Vec::new(),
            report,
            straggler: false,
        }
    }

    const NOW: LocalTime = LocalTime::from_nanos(0);

    /// The troubles of a client that reported that it was healthy before.
    fn of_client(client: &MachineEntry, now: LocalTime) -> Vec<Trouble> {
        let mut incidents = Incidents::default();
        if let Some(report) = &client.report {
            incidents.update(&healthy(), NOW);
            incidents.update(report, NOW);
        }
        let known = Known {
            kind: client.kind,
            client: Some(&client.client),
            straggler: client.straggler,
            report: client.report.as_ref(),
            incidents: Some(&incidents),
        };
        troubles(known, Bank { number: 3, sounds: 14 }, now)
    }

    fn of(report: Report) -> Vec<Trouble> {
        of_client(&client(Some(report)), NOW)
    }

    #[test]
    fn a_healthy_machine_has_none_and_neither_has_one_that_does_not_play() {
        assert_eq!(of(healthy()), []);
        assert_eq!(of_client(&client(None), NOW), []);
        for kind in [ClientKind::Remote, ClientKind::Tutorial] {
            let silent = MachineEntry { kind, ..client(Some(Report::default())) };
            assert_eq!(of_client(&silent, NOW), []);
        }
    }

    #[test]
    fn each_trouble_is_found_and_says_what_to_do() {
        let cases = [
            (Report { latency_micros: None, output: None, ..healthy() }, "no output"),
            (Report { clock_error_micros: None, ..healthy() }, "syncing"),
            (Report { bank: Some(2), ..healthy() }, "loading the new sounds"),
            (
                Report { ready: Some(13), missing: vec!["gong".to_owned()], ..healthy() },
                "13 of 14 sounds ready: lacks gong",
            ),
            (
                Report {
                    ready: Some(9),
                    missing: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
                    ..healthy()
                },
                "9 of 14 sounds ready: lacks a, b, c, …",
            ),
            (Report { lateness_micros: Some(8_200), ..healthy() }, "last sound 8.2 ms late"),
            (Report { clock_error_micros: Some(2_400), ..healthy() }, "only ±2.4 ms"),
            (Report { xruns: 42, ..healthy() }, "40 blocks missed in 5 min"),
        ];
        for (report, expected) in cases {
            let found = of(report);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].text(), expected);
            assert!(found[0].advice().ends_with('.'));
        }
        let straggler = MachineEntry { straggler: true, ..client(Some(healthy())) };
        let found = of_client(&straggler, NOW);
        assert_eq!(found[0].text(), "starts late: needs 14 ms of lead");
        for (version, is_other) in
            [("downbeat/0.0.1", true), ("downbeat-page/0.0.1", false), ("my-script", false)]
        {
            let other = MachineEntry { client: version.to_owned(), ..client(Some(healthy())) };
            assert_eq!(of_client(&other, NOW).len(), usize::from(is_other), "{version}");
        }
    }

    #[test]
    fn the_worst_comes_first_in_a_machine_and_in_the_room() {
        let worst = of(Report { xruns: 40, lateness_micros: Some(9_000), ..Report::default() });
        assert_eq!(worst[0], Trouble::NoOutput);
        assert!(worst.is_sorted_by_key(Trouble::rank));
        let late = of(Report { lateness_micros: Some(9_000), ..healthy() });
        let later = of(Report { lateness_micros: Some(30_000), ..healthy() });
        let fine = of(healthy());
        let mut room = [&fine, &late, &worst, &later];
        room.sort_by_key(|troubles| severity(troubles));
        assert_eq!(room, [&worst, &later, &late, &fine]);
        assert!(late[0].is_heard());
    }

    #[test]
    fn what_has_happened_is_no_trouble_after_five_minutes() {
        let past = Report { xruns: 4_000, late: 7, lateness_micros: Some(9_000), ..healthy() };
        let past = client(Some(past));
        let minutes = |count: i64| LocalTime::from_nanos(count * 60_000_000_000);
        assert_eq!(of_client(&past, minutes(4)).len(), 2);
        assert_eq!(of_client(&past, minutes(5)), []);
    }

    #[test]
    fn a_machine_with_a_seat_is_missed_while_it_is_away() {
        let away = |seat| AwayEntry {
            machine: MachineNumber(4),
            name: "lab-9".to_owned(),
            seat,
            place: None,
            tags: Vec::new(),
        };
        assert_eq!(trouble_of_away(&away(Some(9))), Some(Trouble::Away));
        assert_eq!(trouble_of_away(&away(None)), None);
    }
}
