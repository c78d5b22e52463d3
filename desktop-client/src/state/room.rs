//! The room as those see it who run it: every machine with its report, the receipts of the last triggers, and
//! how others join.
//!
//! It exists only while the relay is asked for it. Pure: the relay's messages in, plain data out.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use downbeat_protocol::{
    AwayEntry, ClientId, ClientKind, Joining, MachineEntry, MachineNumber, MachinesChange, Receipt,
    Report,
};

use super::incidents::Incidents;
use crate::time::LocalTime;

/// Receipts that are kept: as many as the relay keeps. The oldest is dropped.
const MAX_RECEIPTS: usize = 64;

/// The room as those see it who run it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchedRoom {
    /// The connected clients, in the order of their connection. The relay bounds how many there are.
    pub clients: Vec<MachineEntry>,
    /// What has gone wrong lately on those that have reported. What was before the room was watched is unknown.
    incidents: HashMap<ClientId, Incidents>,
    /// The machines that are not connected and of which something is kept, by their number.
    pub away: Vec<AwayEntry>,
    /// The receipts of the last triggers, the oldest first.
    pub receipts: VecDeque<TimedReceipt>,
    /// How others join; none until the relay has said it.
    pub joining: Option<Joining>,
}

/// A receipt, and since when there is one of its trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedReceipt {
    /// As it came last.
    pub receipt: Receipt,
    /// When it came first.
    pub since: LocalTime,
}

/// How long machines have for their answer: those that sounded on time answer within two seconds.
const PATIENCE_NANOS: i64 = 3_000_000_000;

impl TimedReceipt {
    /// How long machines still have to answer; none once they should have.
    #[must_use]
    pub fn patience(&self, now: LocalTime) -> Option<Duration> {
        let left = PATIENCE_NANOS - now.nanos_since(self.since);
        (left > 0).then(|| Duration::from_nanos(left.unsigned_abs()))
    }
}

/// On how many machines a sound is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadyOn {
    /// The players that can play it.
    pub ready: usize,
    /// All players.
    pub players: usize,
}

impl ReadyOn {
    /// Whether every player can play it.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.ready == self.players
    }
}

impl WatchedRoom {
    /// The client of this number.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<&MachineEntry> {
        self.index(id).ok().map(|index| &self.clients[index])
    }

    /// The receipt of the trigger of this number.
    #[must_use]
    pub fn receipt(&self, seq: u64) -> Option<&TimedReceipt> {
        self.receipts.iter().rev().find(|timed| timed.receipt.seq == seq)
    }

    /// What has gone wrong lately on a client; none before its first report.
    #[must_use]
    pub fn incidents(&self, id: ClientId) -> Option<&Incidents> {
        self.incidents.get(&id)
    }

    /// How long it is until something that has happened lately is too old to count.
    pub(super) fn fades_in(&self, now: LocalTime) -> Option<i64> {
        self.incidents.values().filter_map(|incidents| incidents.fades_in(now)).min()
    }

    /// Applies what has changed among the machines.
    pub fn update(&mut self, change: MachinesChange, now: LocalTime) {
        let MachinesChange { clients, left, away, returned } = change;
        if !left.is_empty() {
            self.clients.retain(|client| !left.contains(&client.id));
            self.incidents.retain(|id, _| !left.contains(id));
        }
        for client in clients {
            if let Some(report) = &client.report {
                self.incidents.entry(client.id).or_default().update(report, now);
            }
            match self.index(client.id) {
                Ok(index) => self.clients[index] = client,
                Err(index) => self.clients.insert(index, client),
            }
        }
        self.away.retain(|machine| !returned.contains(&machine.machine));
        for machine in away {
            match self.away_index(machine.machine) {
                Ok(index) => self.away[index] = machine,
                Err(index) => self.away.insert(index, machine),
            }
        }
    }

    /// Adds a receipt, or replaces the one of the same trigger.
    pub fn add_receipt(&mut self, receipt: Receipt, now: LocalTime) {
        let seq = receipt.seq;
        if let Some(known) = self.receipts.iter_mut().find(|known| known.receipt.seq == seq) {
            known.receipt = receipt;
            return;
        }
        // They come in the order of the triggers, except the one that is updated first.
        let place = self.receipts.partition_point(|known| known.receipt.seq < seq);
        self.receipts.insert(place, TimedReceipt { receipt, since: now });
        if self.receipts.len() > MAX_RECEIPTS {
            self.receipts.pop_front();
        }
    }

    /// On how many players a sound is ready that is in the bank since the number `since`. The bank has `sounds`
    /// sounds now.
    #[must_use]
    pub fn ready_on(&self, sound: &str, since: u64, sounds: usize) -> ReadyOn {
        let players = || self.clients.iter().filter(|client| plays_bank(client.kind));
        let is_ready = |client: &&MachineEntry| {
            client.report.as_ref().is_some_and(|report| has(report, sound, since, sounds))
        };
        ReadyOn { ready: players().filter(is_ready).count(), players: players().count() }
    }

    fn index(&self, id: ClientId) -> Result<usize, usize> {
        self.clients.binary_search_by_key(&id, |client| client.id)
    }

    fn away_index(&self, machine: MachineNumber) -> Result<usize, usize> {
        self.away.binary_search_by_key(&machine, |away| away.machine)
    }
}

/// Whether clients of this kind play sounds of the bank. Those of the tutorial have their own sound.
pub(crate) fn plays_bank(kind: ClientKind) -> bool {
    kind.is_player() && kind != ClientKind::Tutorial
}

/// Whether a player can play a sound, as far as its report says.
fn has(report: &Report, sound: &str, since: u64, sounds: usize) -> bool {
    let ready = report.ready.unwrap_or(0) as usize;
    // A report lists the first missing sounds only: if there are more, any other may be among them.
    let lists_all = ready + report.missing.len() >= sounds;
    report.bank.is_some_and(|bank| bank >= since)
        && lists_all
        && !report.missing.iter().any(|missing| missing == sound)
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{By, Rights};

    use super::*;

    const NOW: LocalTime = LocalTime::from_nanos(0);

    fn client(id: u32, report: Option<Report>) -> MachineEntry {
        MachineEntry {
            id: ClientId(id),
            machine: None,
            name: format!("m{id}"),
            kind: ClientKind::Headless,
            client: String::new(),
            rights: Rights::Player,
            seat: None,
            place: None,
            tags: Vec::new(),
            report,
            straggler: false,
        }
    }

    fn away(machine: u32, seat: Option<u16>) -> AwayEntry {
        let machine = MachineNumber(machine);
        AwayEntry { machine, name: "lab".to_owned(), seat, place: None, tags: Vec::new() }
    }

    fn receipt(seq: u64, sounded: u32) -> Receipt {
        Receipt {
            seq,
            sound: "bell".to_owned(),
            by: By { id: ClientId(1), name: "a".to_owned() },
            expected: 3,
            sounded,
            late: Vec::new(),
            missed: Vec::new(),
            waiting: Vec::new(),
        }
    }

    #[test]
    fn machines_are_kept_by_their_changes() {
        let mut room = WatchedRoom::default();
        room.update(
            MachinesChange {
                clients: vec![client(7, None), client(2, None)],
                away: vec![away(9, None), away(4, None)],
                ..MachinesChange::default()
            },
            NOW,
        );
        let reported = MachinesChange {
            clients: vec![client(7, Some(Report::default())), client(2, Some(Report::default()))],
            ..MachinesChange::default()
        };
        room.update(reported, NOW);
        room.update(
            MachinesChange {
                clients: vec![client(7, Some(Report::default()))],
                left: vec![ClientId(2)],
                away: vec![away(9, Some(3))],
                returned: vec![MachineNumber(4)],
            },
            NOW,
        );
        assert_eq!(room.clients, [client(7, Some(Report::default()))]);
        assert_eq!(room.client(ClientId(2)), None);
        assert_eq!(room.incidents.keys().collect::<Vec<_>>(), [&ClientId(7)]);
        assert_eq!(room.away, [away(9, Some(3))]);
    }

    #[test]
    fn the_last_receipts_are_kept_each_as_it_was_sent_last() {
        let mut room = WatchedRoom::default();
        for seq in 1..=100 {
            room.add_receipt(receipt(seq, 0), NOW);
        }
        room.add_receipt(receipt(90, 3), NOW.plus_nanos(1));
        assert_eq!(room.receipts.len(), MAX_RECEIPTS);
        assert_eq!(room.receipts.front().unwrap().receipt.seq, 37);
        let updated = TimedReceipt { receipt: receipt(90, 3), since: NOW };
        assert_eq!(room.receipt(90), Some(&updated));
        assert_eq!(room.receipt(36), None);
        assert!(room.receipts.iter().is_sorted_by_key(|timed| timed.receipt.seq));
    }

    #[test]
    fn machines_have_three_seconds_to_answer_each_trigger() {
        let at = |millis: i64| LocalTime::from_nanos(millis * 1_000_000);
        let mut room = WatchedRoom::default();
        room.add_receipt(receipt(6, 0), at(1000));
        room.add_receipt(receipt(7, 0), at(1500));
        room.add_receipt(receipt(6, 1), at(1600));
        let patience = |seq, now| room.receipt(seq).unwrap().patience(at(now));
        let millis = |seq, now| patience(seq, now).map(|left| left.as_millis());
        assert_eq!((millis(6, 2000), millis(7, 2000)), (Some(2000), Some(2500)));
        assert_eq!((millis(6, 4000), millis(7, 4000)), (None, Some(500)));
        assert_eq!(millis(7, 4500), None);
    }

    #[test]
    fn a_sound_is_ready_on_the_players_whose_report_says_so() {
        let report = |bank: u64, ready: u32, missing: &[&str]| {
            let missing = missing.iter().map(|name| (*name).to_owned()).collect();
            Some(Report { bank: Some(bank), ready: Some(ready), missing, ..Report::default() })
        };
        let mut room = WatchedRoom::default();
        let clients = vec![
            client(1, report(5, 20, &[])),
            client(2, report(5, 19, &["gong"])),
            // Of a bank that has changed again since.
            client(3, report(6, 20, &[])),
            // The bank before, and none yet.
            client(4, report(4, 19, &[])),
            client(5, None),
            // It lacks more than it lists.
            client(6, report(5, 2, &["a", "b"])),
            MachineEntry { kind: ClientKind::Remote, ..client(7, None) },
            MachineEntry { kind: ClientKind::Tutorial, ..client(8, None) },
        ];
        room.update(MachinesChange { clients, ..MachinesChange::default() }, NOW);
        assert_eq!(room.ready_on("gong", 5, 20), ReadyOn { ready: 2, players: 6 });
        assert_eq!(room.ready_on("bell", 5, 20), ReadyOn { ready: 3, players: 6 });
        assert!(!room.ready_on("bell", 5, 20).is_complete());
    }
}
