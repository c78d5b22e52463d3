//! Variables that are being moved by hand: how often their values are sent, and what is shown meanwhile.
//!
//! Pure: it is told the time.

use std::{collections::HashMap, collections::HashSet, time::Duration};

use serde_json::Value;

use crate::time::LocalTime;

/// The shortest time between two values of one variable: fifty a second.
const GAP_NANOS: i64 = 20_000_000;

/// How long a value that was sent is shown before it has come back from the relay: the longest lead, and
/// more. Then the relay's is shown.
const PATIENCE_NANOS: i64 = 1_500_000_000;

/// The variables that are being moved, and for whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    /// By the variable's name; as many as have been moved within [`PATIENCE_NANOS`].
    streams: HashMap<String, Stream>,
    /// The variables of scope `machine` that are set on all machines; as many as were switched.
    for_all: HashSet<String>,
}

/// A variable that is being moved.
#[derive(Clone, Debug)]
struct Stream {
    /// The value of the hand.
    value: Value,
    /// When a value was sent last.
    sent_at: LocalTime,
    /// Whether `value` has yet to be sent.
    is_unsent: bool,
    is_held: bool,
}

impl Streams {
    /// Sets a value by hand. Returns it if it is to be sent at once; [`Streams::due`] returns it later
    /// otherwise.
    pub(super) fn set(&mut self, name: &str, value: Value, now: LocalTime) -> Option<Value> {
        let Some(stream) = self.streams.get_mut(name) else {
            let stream =
                Stream { value: value.clone(), sent_at: now, is_unsent: false, is_held: false };
            self.streams.insert(name.to_owned(), stream);
            return Some(value);
        };
        if stream.value == value {
            return None;
        }
        stream.value = value;
        stream.is_unsent = true;
        stream.take(now)
    }

    /// Says that the hand is on no variable.
    pub(super) fn release(&mut self) {
        for stream in self.streams.values_mut() {
            stream.is_held = false;
        }
    }

    /// Says whether the hand is on a variable.
    pub(super) fn hold(&mut self, name: &str, is_held: bool) {
        if let Some(stream) = self.streams.get_mut(name) {
            stream.is_held = is_held;
        }
    }

    /// The values that are to be sent now, and how long it is until the next ones are.
    pub(super) fn due(&mut self, now: LocalTime) -> (Vec<(String, Value)>, Option<Duration>) {
        let is_lost = |stream: &Stream| {
            !stream.is_held
                && !stream.is_unsent
                && now.nanos_since(stream.sent_at) >= PATIENCE_NANOS
        };
        self.streams.retain(|_, stream| !is_lost(stream));
        let mut due = Vec::new();
        let mut wait = None;
        for (name, stream) in &mut self.streams {
            if let Some(value) = stream.take(now) {
                due.push((name.clone(), value));
            }
            let end = if stream.is_unsent { GAP_NANOS } else { PATIENCE_NANOS };
            let rest = (end - now.nanos_since(stream.sent_at)).max(0).unsigned_abs();
            if stream.is_unsent || !stream.is_held {
                let rest = Duration::from_nanos(rest);
                wait = Some(wait.map_or(rest, |sooner: Duration| sooner.min(rest)));
            }
        }
        (due, wait)
    }

    /// What to show for a variable whose value is `kept`: the hand's while it holds it and until its last
    /// value has come back, then what the relay says.
    pub(super) fn shown<'a>(
        &'a mut self,
        name: &str,
        kept: &'a Value,
        now: LocalTime,
    ) -> &'a Value {
        let is_over = self.streams.get(name).is_some_and(|stream| {
            let has_come_back = stream.value == *kept;
            let is_late = now.nanos_since(stream.sent_at) >= PATIENCE_NANOS;
            !stream.is_held && !stream.is_unsent && (has_come_back || is_late)
        });
        if is_over {
            self.streams.remove(name);
        }
        self.streams.get(name).map_or(kept, |stream| &stream.value)
    }

    /// Whether a variable of scope `machine` is set on all machines.
    pub(super) fn is_for_all(&self, name: &str) -> bool {
        self.for_all.contains(name)
    }

    /// Sets a variable of scope `machine` on all machines from now on, or on this one.
    pub(super) fn set_for_all(&mut self, name: &str, is_for_all: bool) {
        if is_for_all {
            self.for_all.insert(name.to_owned());
        } else {
            self.for_all.remove(name);
        }
    }
}

impl Stream {
    /// Takes the value that is to be sent at `now`.
    fn take(&mut self, now: LocalTime) -> Option<Value> {
        if !self.is_unsent || now.nanos_since(self.sent_at) < GAP_NANOS {
            return None;
        }
        self.sent_at = now;
        self.is_unsent = false;
        Some(self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn at_most_fifty_values_a_second_are_sent_and_the_last_one_always() {
        let mut streams = Streams::default();
        let mut sent = Vec::new();
        for millis in 0..1000 {
            sent.extend(streams.set("cutoff", json!(millis), at(millis)));
        }
        assert!((49..=51).contains(&sent.len()), "{}", sent.len());
        assert_eq!(sent[0], json!(0), "the first is sent at once");
        let (due, wait) = streams.due(at(999));
        assert_eq!((due.len(), wait), (0, Some(Duration::from_millis(1))));
        assert_eq!(streams.due(at(1000)).0, [("cutoff".to_owned(), json!(999))]);
        assert_eq!(streams.due(at(1100)).0, []);
    }

    #[test]
    fn the_display_follows_the_hand_and_not_the_echo_of_older_values() {
        let mut streams = Streams::default();
        streams.set("cutoff", json!(1), at(0));
        streams.hold("cutoff", true);
        streams.set("cutoff", json!(2), at(30));
        assert_eq!(*streams.shown("cutoff", &json!(1), at(40)), json!(2));
        streams.hold("cutoff", false);
        assert_eq!(*streams.shown("cutoff", &json!(1), at(50)), json!(2), "the echo is late");
        assert_eq!(*streams.shown("cutoff", &json!(2), at(60)), json!(2));
        assert_eq!(*streams.shown("cutoff", &json!(7), at(70)), json!(7), "somebody else's");
    }

    #[test]
    fn a_value_that_never_comes_back_is_given_up() {
        let mut streams = Streams::default();
        streams.set("cutoff", json!(5), at(0));
        assert_eq!(*streams.shown("cutoff", &json!(1), at(1000)), json!(5));
        let (_, wait) = streams.due(at(1000));
        assert_eq!(wait, Some(Duration::from_millis(500)), "the window wakes to give it up");
        assert_eq!(*streams.shown("cutoff", &json!(1), at(1600)), json!(1));
        assert_eq!(streams.due(at(1600)).1, None);
    }

    #[test]
    fn an_unchanged_value_is_not_sent() {
        let mut streams = Streams::default();
        assert!(streams.set("mute", json!(true), at(0)).is_some());
        assert_eq!(streams.set("mute", json!(true), at(500)), None);
    }
}
