//! What the relay says, and what it comes to: which wire it speaks, which triggers are new.
//!
//! Pure: texts in, meanings out. It opens no socket, reads no clock, makes no sound.

use downbeat_protocol::{
    BankNow, ClientId, DecodeError, Epoch, ProbeReply, Refusal, RelayToClient, Roster, Sounding,
    Stop, Trigger, Welcome, decode_from_relay,
};

/// What a text from the relay comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// It is a relay of `downbeat.v1`, and this player is in.
    Welcomed {
        /// What it said.
        welcome: Box<Welcome>,
        /// Whether it has been restarted, or was never met before: nothing known before holds.
        new_epoch: bool,
        /// What has been sounding since before this player came, or while it was away.
        missed: Vec<Sounding>,
    },
    /// An answer to a probe.
    Probed(ProbeReply),
    /// Sound, at that instant.
    Cue(Trigger),
    /// Be silent, at that instant.
    Silence(Stop),
    /// Who is here.
    Roster(Roster),
    /// The relay serves other sounds from now on.
    OtherBank(BankNow),
    /// Something this player sent was refused.
    Refused(Refusal),
    /// A trigger of the seed's wire: sound now.
    PlainCue,
    /// Nothing to act on, and why, for the log.
    Nothing(&'static str),
}

/// What is known of the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// It has not said anything yet.
    Unknown,
    /// It speaks `downbeat.v1`, and this player has that number.
    Downbeat(ClientId),
    /// It speaks the seed's wire.
    Plain,
}

/// The talk with one relay, over as many connections as it takes.
#[derive(Debug)]
pub struct Conversation {
    wire: Wire,
    epoch: Option<Epoch>,
    last_seq: u64,
    roster: Roster,
}

impl Conversation {
    /// Before the first connection.
    #[must_use]
    pub fn new() -> Self {
        Self { wire: Wire::Unknown, epoch: None, last_seq: 0, roster: Roster::default() }
    }

    /// A connection was made. What was said on the one before still counts.
    pub fn begin(&mut self) {
        self.wire = Wire::Unknown;
    }

    /// What is known of the far end.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// The far end has let the time for a welcome pass: it is a plain relay, until it says
    /// otherwise. That it granted the subprotocol proves nothing.
    pub fn give_up_on_welcome(&mut self) {
        if self.wire == Wire::Unknown {
            self.wire = Wire::Plain;
        }
    }

    /// Takes in one text.
    pub fn hear(&mut self, text: &str) -> Meaning {
        match decode_from_relay(text) {
            Ok(RelayToClient::Welcome(welcome)) => self.welcomed(Box::new(welcome)),
            Ok(message) => self.heard_message(message),
            Err(_) if !matches!(self.wire, Wire::Downbeat(_)) => {
                // No relay of this wire says such a thing, and a client of the seed's wire sounds
                // at whatever it is sent.
                self.wire = Wire::Plain;
                Meaning::PlainCue
            }
            Err(DecodeError::UnknownType(_)) => Meaning::Nothing("a type from a newer relay"),
            Err(DecodeError::Malformed(_)) => Meaning::Nothing("malformed"),
        }
    }

    fn welcomed(&mut self, welcome: Box<Welcome>) -> Meaning {
        let new_epoch = self.epoch != Some(welcome.epoch);
        if new_epoch {
            self.epoch = Some(welcome.epoch);
            self.last_seq = 0;
        }
        self.wire = Wire::Downbeat(welcome.id);
        self.roster = welcome.roster();
        let known = self.last_seq;
        let missed: Vec<_> =
            welcome.sounding.iter().filter(|s| s.trigger.seq > known).cloned().collect();
        self.last_seq = missed.iter().map(|s| s.trigger.seq).fold(known, u64::max);
        Meaning::Welcomed { welcome, new_epoch, missed }
    }

    fn heard_message(&mut self, message: RelayToClient) -> Meaning {
        if !matches!(self.wire, Wire::Downbeat(_)) {
            // Before its welcome a relay may say why it refuses the hello, and nothing else.
            return match message {
                RelayToClient::Error(refusal) => Meaning::Refused(refusal),
                _ => Meaning::Nothing("before the welcome"),
            };
        }
        match message {
            RelayToClient::Trigger(trigger) if self.is_new(trigger.seq) => Meaning::Cue(trigger),
            RelayToClient::Stop(stop) if self.is_new(stop.seq) => Meaning::Silence(stop),
            RelayToClient::Trigger(_) | RelayToClient::Stop(_) => Meaning::Nothing("seen before"),
            RelayToClient::ProbeReply(reply) => Meaning::Probed(reply),
            RelayToClient::Roster(change) => {
                self.roster.update(change);
                Meaning::Roster(self.roster.clone())
            }
            RelayToClient::Bank(bank) => Meaning::OtherBank(bank),
            RelayToClient::Error(refusal) => Meaning::Refused(refusal),
            RelayToClient::Welcome(_) => Meaning::Nothing("a second welcome"),
        }
    }

    fn is_new(&mut self, seq: u64) -> bool {
        let new = seq > self.last_seq;
        self.last_seq = self.last_seq.max(seq);
        new
    }
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{By, ClientKind, Limits, RelayTime, RosterChange, RosterEntry, encode};

    use super::*;

    fn trigger(seq: u64) -> Trigger {
        Trigger {
            seq,
            play_at: RelayTime::from_micros(seq * 1000),
            sound: "click".into(),
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
            target: None,
            data: None,
            by: By { id: ClientId(1), name: "a".into() },
        }
    }

    fn cue(seq: u64) -> String {
        encode(&RelayToClient::Trigger(trigger(seq)))
    }

    fn welcome(epoch: u64, sounding: &[u64]) -> String {
        encode(&RelayToClient::Welcome(Welcome {
            id: ClientId(7),
            epoch: Epoch(epoch),
            now: RelayTime::from_micros(1),
            relay: "test".into(),
            limits: Limits { message_bytes: 1, min_lead_micros: 1, max_lead_micros: 1 },
            sounds: vec![],
            default_sound: "click".into(),
            sounding: sounding
                .iter()
                .map(|seq| Sounding { trigger: trigger(*seq), stop_at: None })
                .collect(),
            total: 1,
            clients: vec![client(7)],
            lead_micros: 1,
        }))
    }

    fn client(id: u32) -> RosterEntry {
        RosterEntry {
            id: ClientId(id),
            name: format!("m{id}"),
            kind: ClientKind::Window,
            report: None,
            straggler: false,
        }
    }

    fn missed(meaning: &Meaning) -> Vec<u64> {
        match meaning {
            Meaning::Welcomed { missed, .. } => missed.iter().map(|s| s.trigger.seq).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_trigger_is_heard_once() {
        let mut talk = Conversation::new();
        talk.hear(&welcome(1, &[]));
        assert!(matches!(talk.hear(&cue(1)), Meaning::Cue(_)));
        assert!(matches!(talk.hear(&cue(1)), Meaning::Nothing(_)));
        assert!(matches!(talk.hear(&cue(2)), Meaning::Cue(_)));
    }

    #[test]
    fn a_reconnect_joins_what_was_missed_and_nothing_else() {
        let mut talk = Conversation::new();
        assert_eq!(missed(&talk.hear(&welcome(1, &[4]))), [4]);
        assert!(matches!(talk.hear(&cue(5)), Meaning::Cue(_)));
        talk.begin();
        assert_eq!(missed(&talk.hear(&welcome(1, &[4, 5, 7]))), [7]);
        assert!(matches!(talk.hear(&cue(6)), Meaning::Nothing(_)));
    }

    #[test]
    fn a_restarted_relay_counts_from_one_again() {
        let mut talk = Conversation::new();
        talk.hear(&welcome(1, &[]));
        talk.hear(&cue(900));
        talk.begin();
        assert!(matches!(talk.hear(&welcome(2, &[])), Meaning::Welcomed { new_epoch: true, .. }));
        assert!(matches!(talk.hear(&cue(1)), Meaning::Cue(_)));
    }

    #[test]
    fn another_bank_is_taken_from_a_relay_that_has_welcomed_and_from_no_other() {
        let bank = BankNow { sounds: vec![], default_sound: "bell".into() };
        let said = encode(&RelayToClient::Bank(bank.clone()));
        let mut talk = Conversation::new();
        assert!(matches!(talk.hear(&said), Meaning::Nothing(_)));
        talk.hear(&welcome(1, &[]));
        talk.hear(&cue(1));
        assert_eq!(talk.hear(&said), Meaning::OtherBank(bank));
        assert!(matches!(talk.hear(&cue(1)), Meaning::Nothing(_)), "what was heard stays heard");
    }

    #[test]
    fn who_is_here_is_kept_by_its_changes_and_begins_anew_with_each_welcome() {
        let change = |ids: &[u32], left: &[u32]| {
            encode(&RelayToClient::Roster(RosterChange {
                total: 9,
                clients: ids.iter().map(|id| client(*id)).collect(),
                left: left.iter().map(|id| ClientId(*id)).collect(),
                lead_micros: 1,
            }))
        };
        let here = |meaning: &Meaning| match meaning {
            Meaning::Roster(roster) => roster.clients.iter().map(|c| c.id.0).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let mut talk = Conversation::new();
        talk.hear(&welcome(1, &[]));
        assert_eq!(here(&talk.hear(&change(&[1], &[]))), [1, 7]);
        assert_eq!(here(&talk.hear(&change(&[3], &[1]))), [3, 7]);
        talk.begin();
        talk.hear(&welcome(1, &[]));
        assert_eq!(here(&talk.hear(&change(&[8], &[]))), [7, 8]);
    }

    #[test]
    fn a_plain_relay_is_known_by_what_it_says() {
        let mut talk = Conversation::new();
        talk.begin();
        assert_eq!(talk.hear("trigger-output"), Meaning::PlainCue);
        assert_eq!(talk.wire(), Wire::Plain);
    }

    #[test]
    fn a_silent_relay_is_plain_until_its_welcome_comes_after_all() {
        let mut talk = Conversation::new();
        talk.begin();
        talk.give_up_on_welcome();
        assert_eq!(talk.wire(), Wire::Plain);
        talk.hear(&welcome(1, &[]));
        assert_eq!(talk.wire(), Wire::Downbeat(ClientId(7)));
    }

    #[test]
    fn what_a_newer_relay_says_is_passed_over() {
        let mut talk = Conversation::new();
        talk.hear(&welcome(1, &[]));
        assert!(matches!(talk.hear(r#"{"type":"tempo","bpm":120}"#), Meaning::Nothing(_)));
        assert!(matches!(talk.hear("trigger-output"), Meaning::Nothing(_)));
        assert!(matches!(talk.wire(), Wire::Downbeat(_)));
    }
}
