//! The variables of the room, as this machine knows them: which exist, and which value holds when.
//!
//! What they drive is the matter of [`automation`](super::automation). Pure: it takes the time as an argument.

use std::collections::VecDeque;

use downbeat_protocol::{RelayTime, ValueChange, VariableState, VariablesChange};
use serde_json::Value;

/// Values that wait for their instant. The relay keeps fewer; beyond it the earliest applies at once.
const MAX_PENDING: usize = 2048;

/// How long an event is shown before the variable has no value again.
const EVENT_MICROS: u64 = 250_000;

/// The variables of the room.
#[derive(Debug, Default)]
pub(super) struct Variables {
    states: Vec<VariableState>,
    /// In the order of their instants.
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    at: RelayTime,
    name: String,
    value: Value,
}

impl Variables {
    /// The variables with their present values.
    pub(super) fn states(&self) -> &[VariableState] {
        &self.states
    }

    /// Replaces everything.
    pub(super) fn reset(&mut self, states: Vec<VariableState>) {
        self.states = states;
        self.pending.clear();
    }

    /// The variable of this name.
    pub(super) fn get(&self, name: &str) -> Option<&VariableState> {
        self.states.iter().find(|state| state.variable.name == name)
    }

    /// Variables were declared or removed.
    pub(super) fn change(&mut self, change: &VariablesChange) {
        let is_gone = |name: &String| {
            change.removed.contains(name)
                || change.declared.iter().any(|state| state.variable.name == *name)
        };
        self.pending.retain(|pending| !is_gone(&pending.name));
        self.states.retain(|state| !change.removed.contains(&state.variable.name));
        for state in &change.declared {
            let name = &state.variable.name;
            match self.states.iter_mut().find(|known| known.variable.name == *name) {
                Some(known) => *known = state.clone(),
                None => self.states.push(state.clone()),
            }
        }
    }

    /// A variable takes a value at an instant. What was to apply later is void: this one is newer.
    pub(super) fn receive(&mut self, change: &ValueChange) {
        let ValueChange { name, value, apply_at, .. } = change;
        let Some(state) = self.get(name) else { return };
        let is_event = state.variable.event;
        if !is_event {
            self.pending.retain(|pending| pending.name != *name || pending.at < *apply_at);
        }
        self.add(*apply_at, name.clone(), value.clone());
        if is_event {
            self.add(apply_at.plus_micros(EVENT_MICROS), name.clone(), Value::Null);
        }
    }

    fn add(&mut self, at: RelayTime, name: String, value: Value) {
        let place = self.pending.partition_point(|pending| pending.at <= at);
        self.pending.insert(place, Pending { at, name, value });
    }

    /// When the next value applies.
    pub(super) fn next_at(&self) -> Option<RelayTime> {
        self.pending.front().map(|pending| pending.at)
    }

    /// Takes the next value that applies by `now`, by the variable's name.
    pub(super) fn take_due(&mut self, now: RelayTime) -> Option<(String, Value)> {
        let is_due = self.pending.front()?.at <= now || self.pending.len() > MAX_PENDING;
        if !is_due {
            return None;
        }
        let Pending { name, value, .. } = self.pending.pop_front()?;
        if let Some(state) = self.states.iter_mut().find(|state| state.variable.name == name) {
            state.value = value.clone();
        }
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{By, ClientId};
    use serde_json::json;

    use super::*;

    fn state(name: &str, is_event: bool) -> VariableState {
        let state = json!({"name": name, "type": "any", "event": is_event, "value": null});
        serde_json::from_value(state).unwrap()
    }

    fn at(millis: u64) -> RelayTime {
        RelayTime::from_micros(millis * 1000)
    }

    fn change(name: &str, value: u32, millis: u64) -> ValueChange {
        ValueChange {
            seq: 1,
            apply_at: at(millis),
            name: name.to_owned(),
            value: value.into(),
            over_micros: 0,
            target: None,
            by: By { id: ClientId(1), name: "a".to_owned() },
        }
    }

    fn due(variables: &mut Variables, millis: u64) -> Vec<(String, Value)> {
        std::iter::from_fn(|| variables.take_due(at(millis))).collect()
    }

    #[test]
    fn values_apply_in_the_order_of_their_instants() {
        let mut variables = Variables::default();
        variables.reset(vec![state("a", false), state("b", false)]);
        variables.receive(&change("a", 1, 200));
        variables.receive(&change("b", 2, 100));
        variables.receive(&change("unknown", 3, 100));
        assert_eq!(variables.next_at(), Some(at(100)));
        assert_eq!(due(&mut variables, 99), []);
        assert_eq!(
            due(&mut variables, 250),
            [("b".to_owned(), 2.into()), ("a".to_owned(), 1.into())]
        );
        assert_eq!(variables.get("a").unwrap().value, json!(1));
    }

    #[test]
    fn a_newer_value_voids_what_was_to_apply_later() {
        let mut variables = Variables::default();
        variables.reset(vec![state("a", false)]);
        variables.receive(&change("a", 1, 5000));
        variables.receive(&change("a", 2, 100));
        assert_eq!(due(&mut variables, 9000), [("a".to_owned(), 2.into())]);
    }

    #[test]
    fn an_event_falls_back_to_nothing() {
        let mut variables = Variables::default();
        variables.reset(vec![state("flash", true)]);
        variables.receive(&change("flash", 1, 100));
        assert_eq!(due(&mut variables, 100), [("flash".to_owned(), 1.into())]);
        assert_eq!(due(&mut variables, 350), [("flash".to_owned(), Value::Null)]);
    }

    #[test]
    fn what_is_removed_takes_no_value_any_more() {
        let mut variables = Variables::default();
        variables.reset(vec![state("a", false)]);
        variables.receive(&change("a", 1, 100));
        let removed = vec!["a".to_owned()];
        variables.change(&VariablesChange { declared: vec![state("b", false)], removed });
        assert_eq!(due(&mut variables, 9000), []);
        assert_eq!(variables.states(), [state("b", false)]);
    }
}
