//! All machines, as those who watch are told about them, and what of them has changed since when.
//!
//! Pure: the caller passes the time and the members. What is sent is composed from the members when it is sent;
//! here stands only when it was last worth telling.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use downbeat_protocol::{
    AwayEntry, ClientId, MachineEntry, MachineNumber, MachinesChange, RelayTime, Report,
};

use super::{
    versions::Versions,
    weight::{self, Weight},
};
use crate::{
    room::{machines::Machines, member::Member},
    store::Assigned,
};

/// How often small changes of one client are told.
const SMALL_CHANGES_INTERVAL: Duration = Duration::from_secs(10);

/// Most clients and machines that are told at once: a room of a thousand is complete after four seconds.
const MAX_ENTRIES: usize = 64;

/// Largest sum of what is told at once, in bytes: clients choose what their reports contain, and must not fill
/// the outbox of one who watches. Some more, by the last entry.
const MAX_BYTES: usize = 64 * 1024;

/// Most clients and machines that are told at once to be gone. Each is a number.
const MAX_GONE: usize = 1024;

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Client(ClientId),
    /// A machine that is away.
    Away(MachineNumber),
}

/// A client that was told about.
#[derive(Debug)]
struct Listed {
    /// The number of the change by which it was first told about.
    since: u64,
    /// When it was last told about.
    told_at: RelayTime,
    /// The report that was told, and the last one that was compared with it.
    report: Option<Arc<Report>>,
    compared: Option<Arc<Report>>,
    assigned: Arc<Assigned>,
    machine: Option<MachineNumber>,
    straggler: bool,
}

/// The machines, as they were told about.
#[derive(Debug, Default)]
pub(super) struct Listing {
    clients: BTreeMap<ClientId, Listed>,
    away: BTreeMap<MachineNumber, (u64, AwayEntry)>,
    /// The revision of the machines at the last refresh.
    revision: Option<u64>,
    /// Subjects that are neither in `clients` nor `away` are gone.
    versions: Versions<Subject>,
}

impl Listing {
    /// Notes what has changed at `now`. `told` are the numbers of the changes up to which those who watch were
    /// told everything: those of who was told least, and most.
    pub(super) fn refresh(
        &mut self,
        now: RelayTime,
        members: &BTreeMap<ClientId, Member>,
        machines: &Machines,
        told: (u64, u64),
    ) {
        let (least, most) = told;
        let versions = &mut self.versions;
        self.clients.retain(|id, listed| {
            let stays = members.contains_key(id);
            if !stays {
                note_gone(versions, Subject::Client(*id), listed.since <= most);
            }
            stays
        });
        for (id, member) in members {
            let machine = member.machine.and_then(|machine| machines.number(machine));
            let listed = self.clients.get_mut(id);
            if listed.is_none_or(|listed| listed.must_tell(member, machine, now)) {
                let version = versions.touch(Subject::Client(*id));
                let since = self.clients.get(id).map_or(version, |listed| listed.since);
                self.clients.insert(*id, Listed::now(member, machine, now, since));
            }
        }
        if self.revision != Some(machines.revision()) {
            self.revision = Some(machines.revision());
            self.refresh_away(machines, most);
        }
        let done: Vec<_> =
            self.versions.until(least).filter(|subject| !self.exists(*subject)).collect();
        for subject in done {
            self.versions.remove(subject);
        }
    }

    fn refresh_away(&mut self, machines: &Machines, most: u64) {
        let mut before = std::mem::take(&mut self.away);
        for entry in machines.away() {
            let number = entry.machine;
            let known = match before.remove(&number) {
                Some((since, known)) if known == entry => (since, known),
                other => {
                    let version = self.versions.touch(Subject::Away(number));
                    (other.map_or(version, |(since, _)| since), entry)
                }
            };
            self.away.insert(number, known);
        }
        for (number, (since, _)) in before {
            note_gone(&mut self.versions, Subject::Away(number), since <= most);
        }
    }

    fn exists(&self, subject: Subject) -> bool {
        match subject {
            Subject::Client(id) => self.clients.contains_key(&id),
            Subject::Away(number) => self.away.contains_key(&number),
        }
    }

    /// What to tell who was told everything up to a number, and up to which number it then was told everything.
    /// `None` if that is nothing.
    pub(super) fn since(
        &self,
        told: u64,
        members: &BTreeMap<ClientId, Member>,
    ) -> Option<(MachinesChange, u64)> {
        let (mut change, mut last) = (MachinesChange::default(), None);
        let (mut entries, mut gone, mut bytes) = (0, 0, 0);
        for (version, subject) in self.versions.since(told) {
            if entries >= MAX_ENTRIES || gone >= MAX_GONE || bytes >= MAX_BYTES {
                break;
            }
            last = Some(version);
            match subject {
                Subject::Client(id) => {
                    let known = self.clients.get(&id).zip(members.get(&id));
                    if let Some((listed, member)) = known {
                        entries += 1;
                        bytes += size(member);
                        change.clients.push(entry(id, member, listed.machine));
                    } else {
                        gone += 1;
                        change.left.push(id);
                    }
                }
                Subject::Away(number) => {
                    if let Some((_, away)) = self.away.get(&number) {
                        entries += 1;
                        change.away.push(away.clone());
                    } else {
                        gone += 1;
                        change.returned.push(number);
                    }
                }
            }
        }
        Some((change, last?))
    }
}

/// Notes that a subject is gone. Nobody needs to know if nobody knows it.
fn note_gone(versions: &mut Versions<Subject>, subject: Subject, is_known: bool) {
    if is_known {
        versions.touch(subject);
    } else {
        versions.remove(subject);
    }
}

impl Listed {
    fn now(member: &Member, machine: Option<MachineNumber>, now: RelayTime, since: u64) -> Self {
        Self {
            since,
            told_at: now,
            report: member.report.clone(),
            compared: member.report.clone(),
            assigned: member.assigned.clone(),
            machine,
            straggler: member.straggler,
        }
    }

    /// Whether it is time to tell how the member is now.
    fn must_tell(
        &mut self,
        member: &Member,
        machine: Option<MachineNumber>,
        now: RelayTime,
    ) -> bool {
        if self.straggler != member.straggler
            || self.machine != machine
            || !Arc::ptr_eq(&self.assigned, &member.assigned)
        {
            return true;
        }
        let interval = SMALL_CHANGES_INTERVAL.as_micros() as i64;
        let tells_small = now.micros_since(self.told_at) >= interval;
        if is_same(self.report.as_ref(), member.report.as_ref())
            || is_same(self.compared.as_ref(), member.report.as_ref()) && !tells_small
        {
            return false;
        }
        self.compared.clone_from(&member.report);
        match weight::of_change(self.report.as_deref(), member.report.as_deref()) {
            Weight::None => false,
            Weight::Small => tells_small,
            Weight::Large => true,
        }
    }
}

fn is_same(one: Option<&Arc<Report>>, other: Option<&Arc<Report>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

fn entry(id: ClientId, member: &Member, machine: Option<MachineNumber>) -> MachineEntry {
    MachineEntry {
        id,
        machine,
        name: member.name().to_owned(),
        kind: member.kind,
        client: member.client.clone(),
        rights: member.rights(),
        seat: member.assigned.seat,
        place: member.assigned.place,
        tags: member.assigned.tags.clone(),
        report: member.report.as_deref().cloned(),
        straggler: member.straggler,
    }
}

/// The size of an entry in JSON, roughly.
fn size(member: &Member) -> usize {
    let text = |text: &String| text.len() + 3;
    let tags: usize = member.assigned.tags.iter().map(text).sum();
    let report = member.report.as_ref().map_or(0, |report| {
        250 + report.missing.iter().map(text).sum::<usize>()
            + report.output.as_ref().map_or(0, text)
    });
    100 + member.name().len() + member.client.len() + tags + report
}
