//! The variables in virtual time.

use downbeat_protocol::{ClientId, MachineId};
use serde_json::json;

use super::*;

const A: Owner = Owner::Machine(MachineId(1));
const B: Owner = Owner::Machine(MachineId(2));

fn at(millis: u64) -> RelayTime {
    RelayTime::from_micros(millis * 1000)
}

fn declared(declaration: Value) -> Variable {
    serde_json::from_value(declaration).unwrap()
}

/// The variables, with numbers and a lead of 10 ms.
struct Room {
    variables: Variables,
    seq: u64,
}

impl Room {
    fn new(declarations: &[Value]) -> Self {
        let mut room = Self { variables: Variables::default(), seq: 0 };
        room.declare(declarations.iter().cloned().map(declared).collect()).unwrap();
        room
    }

    fn with<T>(&mut self, now: u64, act: impl FnOnce(&mut Variables, Stamper<'_>) -> T) -> T {
        let Self { variables, seq } = self;
        act(variables, &mut |when| {
            *seq += 1;
            let micros = match when {
                When::Together => 10_000,
                When::AfterMicros(micros) => 10_000 + micros,
                When::Now => 0,
            };
            Stamp { seq: *seq, at: at(now).plus_micros(micros) }
        })
    }

    fn effects(
        &mut self,
        now: u64,
        act: impl FnOnce(&mut Variables, Stamper<'_>, &mut Effects) -> Result<(), Refusal>,
    ) -> Result<Effects, Refusal> {
        let mut effects = Effects::default();
        self.with(now, |variables, stamp| act(variables, stamp, &mut effects))?;
        Ok(effects)
    }

    fn declare(&mut self, variables: Vec<Variable>) -> Result<Effects, Refusal> {
        self.effects(0, |known, _, effects| known.declare(variables, effects))
    }

    fn remove(&mut self, now: u64, names: &[String]) -> Effects {
        let removed = self.effects(now, |variables, stamp, effects| {
            variables.remove(names, at(now), stamp, effects);
            Ok(())
        });
        removed.unwrap()
    }

    fn try_set(&mut self, now: u64, set: Set, ack: u64) -> Result<Effects, Refusal> {
        let ack = Some(AckTo { client: set.by.id, ack });
        self.effects(now, |variables, stamp, effects| {
            variables.set(set, ack, at(now), stamp, effects)
        })
    }

    /// Sets a variable; returns the values that are broadcast.
    fn set(&mut self, now: u64, set: Set) -> Vec<Value> {
        sent(&self.try_set(now, set, 0).unwrap())
    }

    fn pending(&mut self, owner: Owner, is_included: bool) -> Vec<ValueChange> {
        let effects = &mut Effects::default();
        self.variables.pending(owner, |_| is_included, effects).0
    }

    fn due(&mut self, now: u64) -> Effects {
        let due = self.effects(now, |variables, stamp, effects| {
            variables.send_due(at(now), stamp, effects);
            Ok(())
        });
        due.unwrap()
    }

    fn value(&mut self, name: &str, owner: Owner, now: u64) -> Value {
        let states = self.variables.states(owner, at(now), at(now));
        states.into_iter().find(|state| state.variable.name == name).unwrap().value
    }
}

fn sent(effects: &Effects) -> Vec<Value> {
    effects.values.iter().map(|change| change.value.clone()).collect()
}

fn acked(effects: &Effects) -> Vec<u64> {
    effects.acks.iter().map(|to| to.ack).collect()
}

fn level() -> Value {
    json!({"name": "level", "type": "float", "min": 0, "max": 1, "default": 0})
}

fn light() -> Value {
    json!({"name": "light", "type": "text", "scope": "machine"})
}

fn set_by(id: u32, name: &str, value: impl Into<Value>) -> Set {
    let by = By { id: ClientId(id), name: "one".into() };
    let (over_micros, when, target) = (0, When::Together, None);
    Set { name: name.into(), value: value.into(), over_micros, when, target, by }
}

fn set(name: &str, value: impl Into<Value>) -> Set {
    set_by(1, name, value)
}

fn after(millis: u64, set: Set) -> Set {
    Set { when: When::AfterMicros(millis * 1000), ..set }
}

fn for_machines(owners: &[Owner], set: Set) -> Set {
    let names = owners.iter().map(|owner| format!("{owner:?}")).collect();
    Set { target: Some((Target { names, ..Target::default() }, owners.to_vec())), ..set }
}

#[test]
fn declarations_are_all_accepted_or_none() {
    let mut room = Room::new(&[level()]);
    let other = || declared(json!({"name": "other", "type": "bool"}));
    let contradiction = declared(json!({"name": "level", "type": "bool"}));
    let error = room.declare(vec![other(), contradiction]).unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    assert!(error.message.contains("\"level\""), "{}", error.message);
    assert_eq!(room.variables.len(), 1);
    let twice = declared(json!({"name": "other", "type": "text"}));
    assert_eq!(room.declare(vec![other(), twice]).unwrap_err().code, ErrorCode::Conflict);

    let change = room.declare(vec![declared(level()), other(), other()]).unwrap();
    let new: Vec<_> =
        change.variables.unwrap().declared.into_iter().map(|new| new.variable.name).collect();
    assert_eq!(new, ["other"]);
    assert_eq!(room.declare(vec![other()]).unwrap(), Effects::default());
}

#[test]
fn there_are_at_most_so_many_variables_and_bytes() {
    let mut room = Room::new(&[]);
    let text = |index: usize, size: usize| {
        declared(json!({"name": format!("t{index}"), "type": "text", "default": "x".repeat(size)}))
    };
    for index in 0..MAX_VARIABLES {
        room.declare(vec![text(index, 0)]).unwrap();
    }
    let error = room.declare(vec![text(MAX_VARIABLES, 0)]).unwrap_err();
    assert_eq!(error.code, ErrorCode::Full);
    room.declare(vec![text(0, 0)]).unwrap();

    let mut room = Room::new(&[]);
    let count = (0..100).take_while(|i| room.declare(vec![text(*i, 4000)]).is_ok()).count();
    assert!((30..33).contains(&count), "{count}: the default counts twice");
    // What has no space is refused, and what is there can still be set and removed.
    let larger = room.try_set(0, set("t0", "x".repeat(20_000)), 0).unwrap_err();
    assert_eq!(larger.code, ErrorCode::Full);
    assert_eq!(room.set(0, set("t0", "short")), [json!("short")]);
    let names: Vec<_> = (0..count).map(|index| format!("t{index}")).collect();
    room.remove(0, &names);
    for index in 0..count {
        room.declare(vec![text(index, 4000)]).unwrap();
    }
}

#[test]
fn a_value_is_numbered_and_kept() {
    let mut room = Room::new(&[level()]);
    let effects = room.try_set(5, Set { over_micros: 7, ..set("level", 0.5) }, 9).unwrap();
    let [change] = &effects.values[..] else { panic!("{effects:?}") };
    assert_eq!((change.seq, change.apply_at, change.over_micros), (1, at(15), 7));
    assert_eq!(effects.acks, [AckTo { client: ClientId(1), ack: 9 }]);
    assert_eq!(room.value("level", A, 15), json!(0.5));
    let error = room.variables.declaration("levl").unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownVariable);
}

#[test]
fn an_unchanged_value_is_acknowledged_and_not_broadcast() {
    let mut room = Room::new(&[
        level(),
        json!({"name": "each", "type": "bool", "send_unchanged": true}),
        json!({"name": "flash", "type": "bool", "event": true}),
    ]);
    assert_eq!(room.set(0, set("level", 0.5)), [json!(0.5)]);
    let effects = room.try_set(5, set_by(2, "level", 0.5), 3).unwrap();
    assert_eq!((sent(&effects), acked(&effects)), (vec![], vec![3]));
    for name in ["each", "flash"] {
        for now in [100, 200] {
            assert_eq!(room.set(now, set(name, true)), [json!(true)], "{name}");
        }
    }
    assert_eq!(room.value("flash", A, 900), Value::Null, "an event is not kept");
    // While another waits, the same value is needed to cancel it.
    assert_eq!(room.set(300, after(50, set("level", 0.9))), [json!(0.9)]);
    assert_eq!(room.set(320, set("level", 0.5)), [json!(0.5)]);
    assert_eq!(room.value("level", A, 400), json!(0.5));
}

#[test]
fn a_stream_is_thinned_and_its_last_value_arrives_within_twenty_milliseconds() {
    let mut room = Room::new(&[level()]);
    let mut broadcast = Vec::new();
    let mut acks = Vec::new();
    for tenth in 0..10_000_u64 {
        let (now, value) = (tenth / 10, tenth as f64 / 10_000.0);
        for effects in [room.try_set(now, set("level", value), tenth).unwrap(), room.due(now)] {
            broadcast.extend(effects.values.iter().map(|change| change.apply_at));
            acks.extend(acked(&effects));
        }
    }
    let last = room.variables.next_due().unwrap();
    assert!(last <= at(1019), "{last:?}");
    let effects = room.due(1019);
    assert_eq!(sent(&effects), [json!(0.9999)]);
    acks.extend(acked(&effects));
    assert_eq!(acks, (0..10_000).collect::<Vec<_>>(), "in order, each once");
    assert!(broadcast.windows(2).all(|two| two[1].micros_since(two[0]) >= 20_000));
    assert_eq!(broadcast.len(), 50);
    assert_eq!((room.variables.next_due(), room.value("level", A, 1100)), (None, json!(0.9999)));
    // After a rest the next value goes out at once.
    assert_eq!(room.due(1200), Effects::default());
    assert_eq!(room.set(1200, set("level", 0.1)), [json!(0.1)]);
}

#[test]
fn streams_of_other_clients_variables_and_machines_do_not_wait() {
    let mut room = Room::new(&[level(), light()]);
    assert_eq!(room.set(0, set("level", 0.1)).len(), 1);
    assert_eq!(room.set(1, set("level", 0.2)).len(), 0);
    assert_eq!(room.set(1, set_by(2, "level", 0.3)).len(), 1);
    assert_eq!(room.set(1, set("light", "x")).len(), 1);
    // A value for other machines replaces none that waits.
    assert_eq!(room.set(2, for_machines(&[A], set("light", "a"))).len(), 0);
    assert_eq!(room.set(2, for_machines(&[B], set("light", "b"))), [json!("a")]);
    assert_eq!(sent(&room.due(21)), [json!(0.2), json!("b")]);
    assert_eq!((room.value("light", A, 30), room.value("light", B, 30)), (json!("a"), json!("b")));
}

#[test]
fn a_held_value_that_returns_to_the_old_one_is_not_broadcast() {
    let mut room = Room::new(&[level()]);
    room.set(0, set("level", 0.5));
    room.set(1, set("level", 0.6));
    room.set(2, set("level", 0.5));
    let effects = room.due(20);
    assert_eq!((sent(&effects).len(), acked(&effects).len()), (0, 2));
}

#[test]
fn too_many_acknowledgements_are_not_held() {
    let mut room = Room::new(&[level()]);
    room.set(0, set("level", 0.0));
    let mut acks = 0;
    for index in 0..5000_u64 {
        acks += acked(&room.try_set(1, set("level", index as f64 / 5000.0), index).unwrap()).len();
    }
    acks += acked(&room.due(21)).len();
    assert_eq!(acks, 5000);
}

#[test]
fn a_value_that_waits_applies_unless_a_newer_one_was_set() {
    let mut room = Room::new(&[level()]);
    assert_eq!(room.set(0, after(1000, set("level", 0.1))), [json!(0.1)]);
    room.set(0, after(2000, set("level", 0.2)));
    room.set(0, after(3000, set("level", 0.3)));
    assert_eq!(room.value("level", A, 1000), json!(0.0));
    assert_eq!(room.value("level", A, 1010), json!(0.1));
    // It is set before the second one applies, and has a larger number.
    room.set(1500, set_by(2, "level", 0.9));
    assert_eq!(room.value("level", A, 9000), json!(0.9));
    // One with a larger number that waits replaces it.
    room.set(9000, after(10, set("level", 0.4)));
    assert_eq!(room.value("level", A, 9100), json!(0.4));
}

#[test]
fn a_schedule_is_not_thinned_and_follows_what_was_set_before() {
    let mut room = Room::new(&[level()]);
    room.set(0, set("level", 0.1));
    room.set(1, set("level", 0.2));
    assert_eq!(room.set(2, after(1000, set("level", 0.3))), [json!(0.2), json!(0.3)]);
    assert_eq!(room.set(2, after(2000, set("level", 0.4))), [json!(0.4)]);
    assert_eq!(sent(&room.due(50)).len(), 0);
    assert_eq!(room.value("level", A, 1012), json!(0.3));
    assert_eq!(room.value("level", A, 2012), json!(0.4));
}

#[test]
fn newcomers_are_told_what_waits_for_them() {
    let mut room = Room::new(&[level(), light()]);
    room.set(0, after(1000, set("level", 0.1)));
    room.set(0, after(1000, for_machines(&[A], set("light", "left"))));
    let names = |pending: Vec<ValueChange>| -> Vec<_> {
        assert!(pending.iter().all(|change| change.target.is_none()));
        pending.into_iter().map(|change| change.name).collect()
    };
    assert_eq!(names(room.pending(A, false)), ["level", "light"]);
    assert_eq!(names(room.pending(B, false)), ["level"]);
    assert_eq!(room.value("light", B, 1010), json!(""));
    // One that its target includes has the value too.
    room.set(2000, after(1000, for_machines(&[A], set("light", "right"))));
    assert_eq!(names(room.pending(B, true)), ["light"]);
    for owner in [A, B] {
        assert_eq!(room.value("light", owner, 3010), json!("right"));
        assert_eq!(room.pending(owner, true), []);
    }
}

#[test]
fn newcomers_are_told_by_which_values_a_sound_has_come() {
    let bound = |name: &str, scope: &str| {
        json!({"name": name, "type": "float", "min": 0, "max": 1, "default": 0, "scope": scope,
               "bind": [{"parameter": "pan"}]})
    };
    let mut room = Room::new(&[bound("all", "room"), bound("own", "machine"), level()]);
    let past = |room: &mut Room, name: &str, owner, since: u64, now: u64| {
        let states = room.variables.states(owner, at(since), at(now));
        let state = states.into_iter().find(|state| state.variable.name == name).unwrap();
        let past = state.past?;
        let values = past.values.iter();
        let values = values.map(|p| (p.apply_at.as_micros() / 1000, p.value.as_f64().unwrap()));
        Some((past.from.as_f64().unwrap(), values.collect::<Vec<_>>()))
    };
    room.set(0, set("all", 0.1));
    room.set(1000, Set { over_micros: 2_000_000, ..set("all", 0.2) });
    room.set(2000, set("level", 0.5));
    // What began before the first value, between both, and within the glide.
    assert_eq!(past(&mut room, "all", A, 0, 2000), Some((0.0, vec![(10, 0.1), (1010, 0.2)])));
    assert_eq!(past(&mut room, "all", A, 500, 2000), Some((0.1, vec![(1010, 0.2)])));
    assert_eq!(past(&mut room, "all", A, 3000, 3000), Some((0.1, vec![(1010, 0.2)])));
    assert_eq!(past(&mut room, "all", A, 3010, 3010), None);
    // A variable that drives nothing has no past.
    assert_eq!(past(&mut room, "level", A, 0, 2000), None);

    room.set(4000, for_machines(&[A], set("own", 0.3)));
    room.set(5000, set("own", 0.4));
    assert_eq!(past(&mut room, "own", A, 0, 6000), Some((0.0, vec![(4010, 0.3), (5010, 0.4)])));
    assert_eq!(past(&mut room, "own", A, 4500, 6000), Some((0.3, vec![(5010, 0.4)])));
    assert_eq!(past(&mut room, "own", B, 0, 6000), Some((0.0, vec![(5010, 0.4)])));

    // A long history keeps its end.
    for step in 0..600_u16 {
        room.set(7000 + u64::from(step) * 100, set("all", f64::from(step % 7) / 10.0));
    }
    let (from, values) = past(&mut room, "all", A, 0, 70_000).unwrap();
    assert_eq!((from, values.len()), (f64::from(343_u16 % 7) / 10.0, 256));
    room.remove(70_000, &["all".to_owned()]);
    assert_eq!(past(&mut room, "own", A, 0, 70_000), None);
}

#[test]
fn machines_have_values_of_their_own_until_all_are_set() {
    let mut room = Room::new(&[light()]);
    room.set(0, for_machines(&[A], set("light", "a")));
    room.set(100, for_machines(&[A, B], set("light", "both")));
    room.set(200, for_machines(&[B], set("light", "b")));
    assert_eq!(
        (room.value("light", A, 300), room.value("light", B, 300)),
        (json!("both"), json!("b"))
    );
    let unchanged = room.set(400, for_machines(&[B], set("light", "b")));
    assert_eq!(unchanged.len(), 0);
    assert_eq!(room.set(500, set("light", "all")), [json!("all")]);
    let newcomer = Owner::Connection(ClientId(9));
    for owner in [A, B, newcomer] {
        assert_eq!(room.value("light", owner, 600), json!("all"));
    }
    room.set(700, for_machines(&[newcomer], set("light", "mine")));
    room.variables.forget(newcomer, &mut Effects::default());
    assert_eq!(room.value("light", newcomer, 800), json!("all"));
}

#[test]
fn what_waits_for_a_machine_that_is_forgotten_is_not_kept() {
    let mut room = Room::new(&[light()]);
    let guest = Owner::Connection(ClientId(9));
    room.set(0, for_machines(&[guest, A], set("light", "now")));
    room.set(1, for_machines(&[guest, A], set("light", "held")));
    room.set(1, after(1000, for_machines(&[guest, A], set_by(2, "light", "later"))));
    for owner in [guest, A] {
        let mut effects = Effects::default();
        room.variables.forget(owner, &mut effects);
        let unset = Write::Unset { name: "light".into(), machine: Some(MachineId(1)) };
        let expected = if owner == A { vec![unset.clone(), unset] } else { Vec::new() };
        assert_eq!(effects.writes, expected);
    }
    assert_eq!(sent(&room.due(20)), [json!("held")]);
    for now in [100, 2000] {
        assert_eq!(room.value("light", guest, now), json!(""));
        assert_eq!(room.value("light", A, now), json!(""));
    }
}

#[test]
fn values_that_wait_are_bounded_with_their_targets() {
    let mut room = Room::new(&[light()]);
    let names: Vec<_> = (0..250).map(|index| format!("{index:060}")).collect();
    let target = Target { names, tags: vec!["x".repeat(64)], ..Target::default() };
    let mut count = 0;
    let refused = loop {
        let target = Some((target.clone(), vec![A]));
        match room.try_set(0, after(1000, Set { target, ..set("light", "on") }), 0) {
            Ok(_) => count += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code, ErrorCode::Full);
    assert!((15..17).contains(&count), "{count} of 16 kB in 256 KiB");
    // A newcomer is told the values, and not for whom they were.
    let pending = room.pending(A, true);
    assert!(pending.len() == count && pending.iter().all(|change| change.target.is_none()));
    // When they apply, there is space again.
    room.try_set(3000, after(1000, Set { target: None, ..set("light", "on") }), 0).unwrap();
    assert_eq!(room.value("light", A, 3000), json!("on"));
}

#[test]
fn values_of_machines_are_bounded() {
    let mut room = Room::new(&[light()]);
    let full = |room: &mut Room, owners: &[Owner]| {
        let mut count = 0;
        for index in 0.. {
            let name = format!("t{index}");
            let declaration = json!({"name": name, "type": "text", "scope": "machine"});
            if room.declare(vec![declared(declaration)]).is_err() {
                return count;
            }
            let set = for_machines(owners, set(&name, "x".repeat(4000)));
            if room.try_set(1000 * index, set, 0).is_err() {
                return count;
            }
            count += 1;
        }
        count
    };
    assert_eq!(full(&mut room, &[A]), 16, "64 KiB of one machine");
    let crowd: Vec<_> = (0..1000).map(|id| Owner::Machine(MachineId(id))).collect();
    assert_eq!(full(&mut Room::new(&[]), &crowd), 1, "4 MiB of all");
}

#[test]
fn a_removed_variable_takes_its_values_with_it() {
    let mut room = Room::new(&[level(), light()]);
    room.set(0, set("level", 0.5));
    room.set(1, set("level", 0.6));
    room.set(1, after(1000, set_by(2, "level", 0.9)));
    room.set(1, for_machines(&[A], set("light", "a")));
    let names = ["level".to_owned(), "light".to_owned(), "unknown".to_owned()];
    let effects = room.remove(2, &names);
    // What was accepted before is done first.
    assert_eq!((sent(&effects), acked(&effects)), (vec![json!(0.6)], vec![0]));
    assert_eq!(effects.variables.unwrap().removed, names[..2]);
    room.declare(vec![declared(level()), declared(light())]).unwrap();
    assert_eq!(room.value("level", A, 5000), json!(0.0));
    assert_eq!(room.value("light", A, 5000), json!(""));
    assert_eq!(room.due(6000), Effects::default());
}

#[test]
fn variables_are_told_in_the_order_of_their_declaration() {
    let names = ["zeta", "alpha", "mu"];
    let mut room = Room::new(&names.map(|name| json!({"name": name, "type": "bool"})));
    let told = room.variables.states(A, at(0), at(0)).into_iter().map(|state| state.variable.name);
    assert_eq!(told.collect::<Vec<_>>(), names);
}
