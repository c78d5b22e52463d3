//! What this machine and the relay agree on about it: name, volume, mute, extra latency.
//!
//! The relay keeps them, and may change them for someone else. What a person changes here is sent to the relay;
//! what the relay says is applied here, and never sent back. Pure: it takes the time as an argument.

use std::collections::VecDeque;

use downbeat_protocol::{AssignRequest, ClientId, MachineRecord, OutputLatency, Rights};

use crate::time::LocalTime;

/// The shortest time between two requests: a fader that is dragged changes sixty times a second.
const INTERVAL_NANOS: i64 = 100_000_000;

/// Changes of one kind that the relay has not returned yet. The relay does not return one that changes nothing, so
/// the oldest makes room.
const MAX_SENT: usize = 64;

/// Volumes at and below this are silence.
const SILENCE_DB: f32 = -60.0;

/// A volume in dB, as the relay keeps it, for a linear factor.
pub(super) fn volume_db(volume: f32) -> f32 {
    if volume > 0.0 { (20.0 * volume.log10()).clamp(SILENCE_DB, 0.0) } else { SILENCE_DB }
}

/// The linear factor for a volume in dB.
fn volume_of(db: f32) -> f32 {
    if db <= SILENCE_DB { 0.0 } else { 10.0_f32.powf(db / 20.0).min(1.0) }
}

/// A change by the person at this machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Name(String),
    /// A linear factor.
    Volume(f32),
    Muted(bool),
    /// That of the open output, in microseconds.
    ExtraLatency(i32),
}

/// What the relay wants to be applied on this machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    /// A linear factor.
    pub(super) volume: Option<f32>,
    pub(super) muted: Option<bool>,
    /// That of the open output, in microseconds.
    pub(super) extra_latency_micros: Option<i32>,
}

/// What this machine and the relay agree on about it.
#[derive(Debug, Default)]
pub(super) struct OwnMachine {
    rights: Rights,
    /// As the relay said it last.
    extra_latency: Vec<OutputLatency>,
    /// What the person has changed and the relay is not told.
    name: Field<String>,
    volume_db: Field<f32>,
    muted: Field<bool>,
    extra_latency_micros: Field<i32>,
    sent_at: Option<LocalTime>,
    /// The last request that the relay has answered.
    answered: u64,
    /// The output that the extra latency is for.
    output: Option<String>,
}

/// One of the values.
#[derive(Debug)]
struct Field<T> {
    /// What is to be sent.
    draft: Option<T>,
    /// What was sent and has not come back, the oldest first, with the `ack` of its request.
    sent: VecDeque<(u64, T)>,
    /// As the relay said it last.
    kept: Option<T>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self { draft: None, sent: VecDeque::new(), kept: None }
    }
}

impl<T: Clone + PartialEq> Field<T> {
    fn take_draft(&mut self, ack: u64) -> Option<T> {
        let draft = self.draft.take()?;
        if self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((ack, draft.clone()));
        Some(draft)
    }

    /// The relay says that this is the value. Returns it if it is to be applied. One that the relay says again with
    /// a change of something else is not; nor, while a newer one of this machine is under way, an older one that
    /// comes back, or a fader would jump in the hand that drags it.
    fn receive(&mut self, value: T) -> Option<T> {
        let former = self.kept.replace(value.clone());
        if former.as_ref() == Some(&value) {
            return None;
        }
        if let Some(place) = self.sent.iter().position(|(_, sent)| *sent == value) {
            self.sent.drain(..=place);
            if !self.sent.is_empty() {
                return None;
            }
        }
        self.draft.is_none().then_some(value)
    }

    /// The connection is lost. What the relay has not answered may be lost too, and is sent to the next.
    fn disconnected(&mut self, answered: u64) {
        self.kept = None;
        let last = self.sent.pop_back().filter(|(ack, _)| *ack > answered);
        self.sent.clear();
        if self.draft.is_none() {
            self.draft = last.map(|(_, value)| value);
        }
    }
}

impl OwnMachine {
    /// What this machine may do.
    pub(super) fn rights(&self) -> Rights {
        self.rights
    }

    /// The person at this machine has changed something.
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Name(name) => self.name.draft = Some(name),
            Change::Volume(volume) => self.volume_db.draft = Some(volume_db(volume)),
            Change::Muted(muted) => self.muted.draft = Some(muted),
            Change::ExtraLatency(micros) => self.extra_latency_micros.draft = Some(micros),
        }
    }

    /// When [`OwnMachine::take_request`] has something, if it will.
    pub(super) fn due(&self) -> Option<LocalTime> {
        let Self { name, volume_db, muted, extra_latency_micros, .. } = self;
        let is_changed = name.draft.is_some()
            || volume_db.draft.is_some()
            || muted.draft.is_some()
            || extra_latency_micros.draft.is_some();
        let earliest =
            self.sent_at.map_or(LocalTime::default(), |at| at.plus_nanos(INTERVAL_NANOS));
        is_changed.then_some(earliest)
    }

    /// What to send to the relay by now, as the client of this number, with this `ack`, which is above all former
    /// ones.
    pub(super) fn take_request(
        &mut self,
        id: ClientId,
        ack: u64,
        now: LocalTime,
    ) -> Option<AssignRequest> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        self.sent_at = Some(now);
        Some(AssignRequest {
            clients: vec![id],
            name: self.name.take_draft(ack),
            volume_db: self.volume_db.take_draft(ack),
            muted: self.muted.take_draft(ack),
            extra_latency_micros: self.extra_latency_micros.take_draft(ack),
            ack: Some(ack),
            ..AssignRequest::default()
        })
    }

    /// The relay has kept, or refused, what was sent with this `ack`.
    pub(super) fn answered(&mut self, ack: u64) {
        self.answered = self.answered.max(ack);
    }

    /// The relay says what it keeps of this machine, which plays through `output`. What the person has changed
    /// meanwhile stays as it is: it is newer.
    pub(super) fn receive(&mut self, record: MachineRecord, output: Option<&str>) -> Wanted {
        self.rights = record.rights;
        self.extra_latency = record.extra_latency;
        Wanted {
            name: record.name.and_then(|name| self.name.receive(name)),
            volume: record.volume_db.and_then(|db| self.volume_db.receive(db)).map(volume_of),
            muted: record.muted.and_then(|muted| self.muted.receive(muted)),
            extra_latency_micros: output.and_then(|output| self.receive_extra_latency(output)),
        }
    }

    /// The extra latency that the relay keeps for an output that was opened, if it does.
    pub(super) fn output_opened(&mut self, output: &str) -> Option<i32> {
        if self.output.as_deref() != Some(output) {
            self.output = Some(output.to_owned());
            // What was for another output is void.
            self.extra_latency_micros = Field::default();
        }
        // What opens has its own, whatever was said before.
        self.extra_latency_micros.kept = None;
        self.receive_extra_latency(output)
    }

    fn receive_extra_latency(&mut self, output: &str) -> Option<i32> {
        let known = self.extra_latency.iter().find(|known| known.output == output)?;
        self.extra_latency_micros.receive(known.micros)
    }

    /// The connection is lost: the next relay says what it keeps.
    pub(super) fn disconnected(&mut self) {
        self.rights = Rights::default();
        self.extra_latency.clear();
        let Self { name, volume_db, muted, extra_latency_micros, answered, .. } = self;
        name.disconnected(*answered);
        volume_db.disconnected(*answered);
        muted.disconnected(*answered);
        extra_latency_micros.disconnected(*answered);
        self.sent_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ClientId = ClientId(7);

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    fn volume(db: f32) -> MachineRecord {
        MachineRecord { volume_db: Some(db), ..MachineRecord::default() }
    }

    fn latency(output: &str, micros: i32) -> MachineRecord {
        let extra_latency = vec![OutputLatency { output: output.to_owned(), micros }];
        MachineRecord { extra_latency, ..MachineRecord::default() }
    }

    #[test]
    fn what_the_relay_says_is_applied_and_not_sent_back() {
        let mut machine = OwnMachine::default();
        let record = MachineRecord {
            rights: Rights::Player,
            name: Some("harp".to_owned()),
            volume_db: Some(-60.0),
            muted: Some(true),
            ..latency("usb", 12_000)
        };
        let wanted = machine.receive(record, Some("usb"));
        assert_eq!(
            wanted,
            Wanted {
                name: Some("harp".to_owned()),
                volume: Some(0.0),
                muted: Some(true),
                extra_latency_micros: Some(12_000),
            }
        );
        assert_eq!(machine.rights(), Rights::Player);
        assert_eq!(machine.due(), None);
        // What is absent stays as it is here.
        assert_eq!(machine.receive(MachineRecord::default(), None), Wanted::default());
    }

    #[test]
    fn what_a_person_changes_is_sent_at_most_ten_times_a_second_and_the_last_one_always() {
        let mut machine = OwnMachine::default();
        let mut sent = Vec::new();
        for millis in 0..250 {
            machine.change(Change::Volume(millis as f32 / 249.0));
            if let Some(request) = machine.take_request(ID, millis as u64, at(millis)) {
                assert_eq!(request.clients, [ID]);
                sent.push((millis, request.volume_db));
            }
        }
        assert_eq!(sent.iter().map(|(millis, _)| *millis).collect::<Vec<_>>(), [0, 100, 200]);
        assert_eq!(machine.due(), Some(at(300)));
        let last = machine.take_request(ID, 300, at(300)).unwrap();
        assert_eq!((last.volume_db, last.muted, last.name), (Some(0.0), None, None));
        assert_eq!(machine.due(), None);
    }

    #[test]
    fn an_echo_does_not_move_the_fader_that_is_dragged() {
        let mut machine = OwnMachine::default();
        for (millis, gain) in [(0, 0.5), (100, 0.25)] {
            machine.change(Change::Volume(gain));
            machine.take_request(ID, millis as u64, at(millis)).unwrap();
        }
        assert_eq!(machine.receive(volume(volume_db(0.5)), None).volume, None);
        // The last one is applied: another client's may have been applied in between.
        let last = machine.receive(volume(volume_db(0.25)), None).volume.unwrap();
        assert!((last - 0.25).abs() < 1e-4);
        // So is another client's, also while one of this machine is under way.
        machine.change(Change::Volume(0.1));
        machine.take_request(ID, 300, at(300)).unwrap();
        assert_eq!(machine.receive(volume(0.0), None).volume, Some(1.0));
        assert!(machine.receive(volume(volume_db(0.1)), None).volume.is_some());
    }

    #[test]
    fn a_change_without_a_relay_is_newer_than_what_the_relay_keeps() {
        let mut machine = OwnMachine::default();
        machine.change(Change::Muted(true));
        machine.disconnected();
        let record = MachineRecord { muted: Some(false), ..volume(-6.0) };
        let wanted = machine.receive(record, None);
        assert_eq!(wanted.muted, None);
        assert!(wanted.volume.is_some());
        assert_eq!(machine.take_request(ID, 400, at(0)).unwrap().muted, Some(true));
    }

    #[test]
    fn a_change_that_the_relay_has_not_answered_is_sent_again() {
        let mut machine = OwnMachine::default();
        machine.receive(MachineRecord { muted: Some(false), ..volume(0.0) }, None);
        machine.change(Change::Muted(true));
        machine.change(Change::Volume(0.5));
        machine.take_request(ID, 1, at(0)).unwrap();
        machine.answered(1);
        machine.change(Change::Muted(false));
        machine.take_request(ID, 2, at(200)).unwrap();
        machine.change(Change::Muted(true));
        machine.take_request(ID, 3, at(400)).unwrap();
        // The connection was dead already.
        machine.disconnected();
        let wanted = machine.receive(MachineRecord { muted: Some(false), ..volume(-6.0) }, None);
        assert_eq!(wanted.muted, None);
        assert!(wanted.volume.is_some(), "that was answered");
        let again = machine.take_request(ID, 4, at(600)).unwrap();
        assert_eq!((again.muted, again.volume_db), (Some(true), None));
    }

    #[test]
    fn what_the_relay_says_again_with_something_else_undoes_no_change() {
        let mut machine = OwnMachine::default();
        let kept = MachineRecord { muted: Some(false), ..volume(-6.0) };
        machine.receive(kept.clone(), None);
        machine.change(Change::Muted(true));
        machine.take_request(ID, 1, at(0)).unwrap();
        // Another client changes the volume before the relay has received that.
        let wanted = machine.receive(MachineRecord { volume_db: Some(-20.0), ..kept }, None);
        assert_eq!(wanted.muted, None);
        assert!(wanted.volume.is_some_and(|volume| (volume - 0.1).abs() < 1e-4));
    }

    #[test]
    fn an_output_that_is_opened_again_keeps_what_was_not_sent() {
        let mut machine = OwnMachine::default();
        machine.output_opened("usb");
        machine.change(Change::ExtraLatency(3_000));
        assert_eq!(machine.output_opened("usb"), None);
        assert_eq!(machine.take_request(ID, 1, at(0)).unwrap().extra_latency_micros, Some(3_000));
    }

    #[test]
    fn each_output_has_the_extra_latency_that_was_assigned_to_it() {
        let mut machine = OwnMachine::default();
        let wanted = machine.receive(latency("usb", 12_000), Some("hdmi"));
        assert_eq!(wanted.extra_latency_micros, None);
        assert_eq!(machine.output_opened("usb"), Some(12_000));
        machine.change(Change::ExtraLatency(3_000));
        assert_eq!(machine.output_opened("hdmi"), None);
        assert_eq!(machine.due(), None, "it was for the other output");
        machine.disconnected();
        assert_eq!(machine.output_opened("usb"), None);
    }

    #[test]
    fn volumes_are_the_same_in_both_units() {
        for (gain, db) in [(1.0, 0.0), (0.0, -60.0), (0.0001, -60.0), (0.1, -20.0)] {
            assert!((volume_db(gain) - db).abs() < 1e-4, "{gain}");
        }
        for gain in [0.002, 0.5, 1.0] {
            assert!((volume_of(volume_db(gain)) - gain).abs() < 1e-4, "{gain}");
        }
        assert!(volume_of(-60.0) <= 0.0 && volume_of(6.0) <= 1.0);
    }
}
