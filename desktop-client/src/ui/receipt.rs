//! Receipts in words: who sounded a trigger, who was late, who was silent and why.
//!
//! Pure: it draws nothing.

use downbeat_protocol::{ClientId, Missed, Receipt};

use super::format;
use crate::state::WatchedRoom;

/// Machines that are named before the others are only counted.
const NAMED: usize = 3;

/// Reasons that are said.
const SAID_REASONS: usize = 2;

/// A part of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) text: String,
    /// Whether something is wrong.
    pub(super) is_trouble: bool,
}

/// A receipt in a few parts. Where `may_wait`, a machine that has not answered yet is no trouble.
pub(super) fn parts(receipt: &Receipt, room: &WatchedRoom, may_wait: bool) -> Vec<Part> {
    let is_complete = receipt.sounded == receipt.expected
        && receipt.late.is_empty()
        && receipt.missed.is_empty()
        && receipt.waiting.is_empty();
    let count = match (receipt.expected, is_complete) {
        (0, _) => "for no player".to_owned(),
        (1, true) => "1 of 1 on time".to_owned(),
        (all, true) => format!("all {all} on time"),
        (all, false) => format!("{} of {all}", receipt.sounded),
    };
    let mut parts = vec![Part { text: count, is_trouble: false }];
    let mut add = |text: Option<String>, is_trouble| {
        parts.extend(text.map(|text| Part { text, is_trouble }));
    };
    add(late(receipt, room), true);
    add(silent(receipt, room), true);
    add(waiting(receipt, room, may_wait), !may_wait);
    parts
}

fn late(receipt: &Receipt, room: &WatchedRoom) -> Option<String> {
    let latest = receipt.late.first()?;
    let names = names(receipt.late.iter().map(|late| late.id), room);
    let how = format::micros(latest.lateness_micros.into());
    let count = count(receipt.late.len());
    let up_to = if receipt.late.len() > 1 { "up to " } else { "" };
    Some(format!("{count} late {up_to}{how} ({names})"))
}

fn silent(receipt: &Receipt, room: &WatchedRoom) -> Option<String> {
    let mut reasons: Vec<Missed> = Vec::new();
    for missed in &receipt.missed {
        if !reasons.contains(&missed.reason) {
            reasons.push(missed.reason);
        }
    }
    let of = |why: &Missed| {
        let same = receipt.missed.iter().filter(|missed| missed.reason == *why);
        let ids: Vec<ClientId> = same.map(|missed| missed.id).collect();
        format!("{} {}", names(ids.iter().copied(), room), reason(*why, ids.len() > 1))
    };
    let said: Vec<String> = reasons.iter().take(SAID_REASONS).map(of).collect();
    let more = if reasons.len() > SAID_REASONS { ", …" } else { "" };
    let count = count(receipt.missed.len());
    (!said.is_empty()).then(|| format!("{count} silent: {}{more}", said.join(", ")))
}

fn waiting(receipt: &Receipt, room: &WatchedRoom, may_wait: bool) -> Option<String> {
    let names = names(receipt.waiting.iter().copied(), room);
    let count = count(receipt.waiting.len());
    let yet = if may_wait { " yet" } else { "" };
    (!receipt.waiting.is_empty()).then(|| format!("no answer from {count}{yet} ({names})"))
}

/// How many; a receipt lists the first 64.
fn count(listed: usize) -> String {
    if listed >= 64 { "64 or more".to_owned() } else { listed.to_string() }
}

/// The names of the first of these clients.
fn names(ids: impl Iterator<Item = ClientId>, room: &WatchedRoom) -> String {
    let ids: Vec<ClientId> = ids.collect();
    let named: Vec<String> = ids.iter().take(NAMED).map(|id| name(*id, room)).collect();
    let more = if ids.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}

/// The name of a client, which may have left.
pub(super) fn name(id: ClientId, room: &WatchedRoom) -> String {
    room.client(id).map_or_else(|| format!("client {}", id.0), |client| client.name.clone())
}

/// Why a machine was silent, or several.
pub(super) fn reason(reason: Missed, several: bool) -> &'static str {
    match (reason, several) {
        (Missed::NoOutput, false) => "has no output",
        (Missed::NoOutput, true) => "have no output",
        (Missed::NotReady, false) => "has not loaded the sound",
        (Missed::NotReady, true) => "have not loaded the sound",
        (Missed::NoClock, false) => "does not know the time yet",
        (Missed::NoClock, true) => "do not know the time yet",
        (Missed::TooLate, _) => "could not start it before it was over",
        (Missed::Voices, false) => "sounds as many voices as it can",
        (Missed::Voices, true) => "sound as many voices as they can",
        (Missed::Muted, false) => "is muted",
        (Missed::Muted, true) => "are muted",
        (Missed::Stopped, false) => "was stopped before",
        (Missed::Stopped, true) => "were stopped before",
        (Missed::Left, _) => "left before",
        (Missed::Other, _) => "did not sound",
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{
        By, ClientKind, LateClient, MachineEntry, MachinesChange, MissedClient, Rights,
    };

    use super::*;
    use crate::time::LocalTime;

    fn room() -> WatchedRoom {
        let client = |id: u32, name: &str| MachineEntry {
            id: ClientId(id),
            machine: None,
            name: name.to_owned(),
            kind: ClientKind::Headless,
            client: String::new(),
            rights: Rights::Player,
            seat: None,
            place: None,
            tags: Vec::new(),
            report: None,
            straggler: false,
        };
        let mut room = WatchedRoom::default();
        let names = ["harp", "lab-4", "lab-5", "oboe"];
        let clients = (1..).zip(names).map(|(id, name)| client(id, name)).collect();
        room.update(MachinesChange { clients, ..MachinesChange::default() }, LocalTime::default());
        room
    }

    fn receipt(sounded: u32) -> Receipt {
        Receipt {
            seq: 7,
            sound: "bell".to_owned(),
            by: By { id: ClientId(9), name: "stage".to_owned() },
            expected: 30,
            sounded,
            late: Vec::new(),
            missed: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn text(receipt: &Receipt, may_wait: bool) -> String {
        let parts = parts(receipt, &room(), may_wait);
        let marked = |part: &Part| {
            if part.is_trouble { format!("!{}", part.text) } else { part.text.clone() }
        };
        parts.iter().map(marked).collect::<Vec<_>>().join(" · ")
    }

    fn late(id: u32, lateness_micros: u32) -> LateClient {
        LateClient { id: ClientId(id), lateness_micros }
    }

    fn missed(id: u32, reason: Missed) -> MissedClient {
        MissedClient { id: ClientId(id), reason }
    }

    #[test]
    fn a_receipt_says_who_sounded_who_was_late_and_who_was_silent_and_why() {
        let mut receipt = receipt(28);
        receipt.late = vec![late(1, 8_200)];
        receipt.missed = vec![missed(2, Missed::NotReady)];
        assert_eq!(
            text(&receipt, false),
            "28 of 30 · !1 late 8.2 ms (harp) · !1 silent: lab-4 has not loaded the sound"
        );
        receipt.late.push(late(4, 3_000));
        receipt.missed.push(missed(3, Missed::NotReady));
        receipt.missed.push(missed(88, Missed::NoOutput));
        assert_eq!(
            text(&receipt, false),
            "28 of 30 · !2 late up to 8.2 ms (harp, oboe) · !3 silent: lab-4, lab-5 have not loaded \
             the sound, client 88 has no output"
        );
    }

    #[test]
    fn what_is_complete_is_short_and_what_is_awaited_is_trouble_only_later() {
        assert_eq!(text(&receipt(30), true), "all 30 on time");
        let mut awaited = receipt(28);
        awaited.waiting = vec![ClientId(1), ClientId(2)];
        assert_eq!(text(&awaited, true), "28 of 30 · no answer from 2 yet (harp, lab-4)");
        assert_eq!(text(&awaited, false), "28 of 30 · !no answer from 2 (harp, lab-4)");
        awaited.waiting = (1..=64).map(ClientId).collect();
        assert!(text(&awaited, true).ends_with("from 64 or more yet (harp, lab-4, lab-5, …)"));
        let nobody = Receipt { expected: 0, ..receipt(0) };
        assert_eq!(text(&nobody, true), "for no player");
    }
}
