//! For whose records and values there is space: those who are forgotten for others.
//!
//! Pure: nothing here does I/O.

use std::collections::HashSet;

use downbeat_protocol::{ErrorCode, MachineId, Refusal};

use super::{effects::Effects, member::Owner, refuse::refusal, state::Room};
use crate::store::Write;

impl Room {
    /// Begins to keep something of machines of which nothing is kept, and releases so many `bytes` of values. For
    /// that, others may be forgotten; if it is refused, none is.
    ///
    /// # Errors
    /// If too little may be forgotten.
    pub(super) fn keep_machines(
        &mut self,
        machines: &[MachineId],
        bytes: usize,
        by_conductor: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let new: Vec<_> =
            machines.iter().copied().filter(|machine| !self.machines.keeps(*machine)).collect();
        let lacking = self.machines.lacking(new.len());
        if lacking > 0 || bytes > 0 {
            let forgotten = self.to_forget(machines, lacking, bytes, by_conductor);
            let full = || refusal(ErrorCode::Full, "too much is kept of too many machines");
            for machine in forgotten.ok_or_else(full)? {
                self.make_space_of(machine, effects);
            }
        }
        for machine in new {
            // All of its clients say a name; the last one counts.
            let last = self.machines.clients(machine).last().and_then(|id| self.members.get(id));
            let name = last.map_or_else(String::new, |member| member.own_name().to_owned());
            self.machines.keep(machine, &name);
            effects.writes.extend(self.machines.stored(machine));
        }
        Ok(())
    }

    /// The machines to forget so that there is space for as many others and for so many `bytes` of values, but none
    /// of `spared`. Values are those of machines that are away: who is here would miss them. `None` if that makes too
    /// little space.
    fn to_forget(
        &self,
        spared: &[MachineId],
        mut machines: usize,
        mut bytes: usize,
        for_conductor: bool,
    ) -> Option<Vec<MachineId>> {
        let spared: HashSet<_> = spared.iter().collect();
        let mut candidates = self.machines.forgettable(for_conductor);
        let mut chosen = Vec::new();
        while machines > 0 || bytes > 0 {
            let candidate = candidates.pop()?;
            let freed = self.variables.bytes_of(Owner::Machine(candidate.id));
            let makes_space = machines > 0 || candidate.is_away && freed > 0;
            if makes_space && !spared.contains(&candidate.id) {
                machines = machines.saturating_sub(1);
                bytes = bytes.saturating_sub(freed);
                chosen.push(candidate.id);
            }
        }
        Some(chosen)
    }

    /// Forgets a machine and its values for another one. What was assigned to it is that of its clients for as long
    /// as they are connected.
    fn make_space_of(&mut self, machine: MachineId, effects: &mut Effects) {
        self.variables.forget(Owner::Machine(machine), effects);
        for id in self.machines.disconnect(machine) {
            if let Some(member) = self.members.get_mut(&id) {
                member.machine = None;
            }
        }
        self.machines.forget(machine);
        effects.writes.push(Write::Forget { machine });
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{
        AssignRequest, By, ClientId, ClientKind, DeclareRequest, RelayTime, Rights, SetRequest,
        TargetRequest, When,
    };
    use serde_json::json;

    use super::*;
    use crate::room::{lead::Lead, member::Member};

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    fn enter(room: &mut Room, id: u32) {
        let machine = Some(MachineId(u128::from(id)));
        let member =
            Member::new(format!("m{id}"), ClientKind::Window, Rights::Conductor).on(machine);
        room.enter(ClientId(id), member);
    }

    #[test]
    fn machines_that_are_away_make_space_for_values_of_those_that_are_here() {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let mut effects = Effects::default();
        let declaration =
            |index| json!({"name": format!("t{index}"), "type": "text", "scope": "machine"});
        let variables = (0..16).map(|index| serde_json::from_value(declaration(index)).unwrap());
        let request = DeclareRequest { variables: variables.collect(), ack: None };
        room.declare(request, ClientId(1), &mut effects).unwrap();
        let mut set = |room: &mut Room, id: u32, index: u32, now: u64| {
            let clients = vec![ClientId(id)];
            let request = SetRequest {
                name: format!("t{index}"),
                value: "x".repeat(4000).into(),
                over_micros: 0,
                when: When::Together,
                target: Some(TargetRequest { clients, ..TargetRequest::default() }),
                ack: None,
            };
            let by = By { id: ClientId(id), name: "one".into() };
            room.set(request, by, at(now), &mut effects)
        };
        // Some 65 machines fill the space with 64 KiB each.
        for id in 1..=80 {
            enter(&mut room, id);
            for index in 0..16 {
                set(&mut room, id, index, u64::from(id)).unwrap();
            }
            room.leave(ClientId(id));
        }
        let forgotten: Vec<_> = effects
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Forget { machine } => Some(machine.0),
                _ => None,
            })
            .collect();
        assert_eq!(forgotten, (1..=forgotten.len() as u128).collect::<Vec<_>>());
        assert!((10..20).contains(&forgotten.len()), "{}", forgotten.len());
        let unset = effects.writes.iter().filter(|write| matches!(write, Write::Unset { .. }));
        assert_eq!(unset.count(), 16 * forgotten.len());
        let value = |room: &mut Room, id| {
            enter(room, id);
            room.variables_for(ClientId(id), at(100), &mut Effects::default()).0[3]
                .value
                .as_str()
                .unwrap()
                .len()
        };
        assert_eq!((value(&mut room, 1), value(&mut room, 80)), (0, 4000));
    }

    /// A room whose machines have all the values for which there is space: 64 of 64 KiB, of ids from 1.
    fn full_room() -> Room {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let declare = |name, is_event| json!({"name": name, "type": "text", "scope": "machine", "event": is_event});
        let variables = (0..17).map(|index| declare(format!("t{index}"), false));
        let variables = variables.chain([declare("flash".into(), true)]);
        let variables = variables.map(|variable| serde_json::from_value(variable).unwrap());
        let request = DeclareRequest { variables: variables.collect(), ack: None };
        room.declare(request, ClientId(1), &mut Effects::default()).unwrap();
        for id in 1..=64 {
            enter(&mut room, id);
            for index in 0..16 {
                set(&mut room, &format!("t{index}"), id, 4094, &mut Effects::default()).unwrap();
            }
        }
        room
    }

    /// Sets a variable of a machine to a text of so many bytes.
    fn set(
        room: &mut Room,
        name: &str,
        id: u32,
        size: usize,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let target = TargetRequest { clients: vec![ClientId(id)], ..TargetRequest::default() };
        let request = SetRequest {
            name: name.into(),
            value: "x".repeat(size).into(),
            over_micros: 0,
            when: When::Together,
            target: Some(target),
            ack: None,
        };
        let by = By { id: ClientId(id), name: "one".into() };
        room.set(request, by, at(1), effects)
    }

    fn forgotten(effects: &Effects) -> Vec<u128> {
        let forgotten = effects.writes.iter().filter_map(|write| match write {
            Write::Forget { machine } => Some(machine.0),
            _ => None,
        });
        forgotten.collect()
    }

    #[test]
    fn a_value_that_is_refused_erases_nothing() {
        let mut room = full_room();
        // Machines without values, which are away for longer than others will be.
        for id in 100..110 {
            let machine = Some(MachineId(u128::from(id)));
            let member = Member::new("x".into(), ClientKind::Page, Rights::Listener).on(machine);
            room.enter(ClientId(id), member);
            room.assign(&own(id), ClientId(id), &mut Effects::default()).unwrap();
            room.leave(ClientId(id));
        }
        enter(&mut room, 200);
        let mut effects = Effects::default();
        let refused = set(&mut room, "t0", 200, 100, &mut effects).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Full);
        assert_eq!(effects, Effects::default());
        // An event takes no space.
        set(&mut room, "flash", 200, 100, &mut effects).unwrap();
        assert_eq!((&effects.writes[..], effects.values.len()), (&[][..], 1));
        // A machine may have no more, whatever others make space.
        room.leave(ClientId(1));
        let mut effects = Effects::default();
        assert!(set(&mut room, "t16", 2, 4000, &mut effects).is_err());
        assert_eq!(effects, Effects::default());
        // Only who has values makes space for some.
        set(&mut room, "t0", 200, 100, &mut effects).unwrap();
        assert_eq!(forgotten(&effects), [1]);
    }

    #[test]
    fn machines_that_stay_leave_space_for_those_of_a_conductor() {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let mut effects = Effects::default();
        for id in 1..=4096 {
            let machine = Some(MachineId(u128::from(id)));
            let member = Member::new("x".into(), ClientKind::Page, Rights::Listener).on(machine);
            room.enter(ClientId(id), member);
            room.assign(&own(id), ClientId(id), &mut effects).unwrap();
        }
        for id in 5000..5003 {
            enter(&mut room, id);
        }
        let clients = [1, 5000, 5001, 5002].map(ClientId).to_vec();
        let seat = AssignRequest { clients, seat: Some(7), ..AssignRequest::default() };
        let mut effects = Effects::default();
        room.assign(&seat, ClientId(5000), &mut effects).unwrap();
        assert_eq!(forgotten(&effects), [2, 3, 4], "and not the one that is assigned to");
        for id in [1, 5000, 5001, 5002] {
            assert_eq!(room.members[&ClientId(id)].assigned.seat, Some(7));
            assert!(room.machines.keeps(MachineId(u128::from(id))));
        }
        // Who was forgotten keeps what it has until it leaves.
        let mut effects = Effects::default();
        assert_eq!(room.record_of(ClientId(2)).volume_db, Some(-6.0));
        let louder = AssignRequest { volume_db: Some(-3.0), ..own(2) };
        room.assign(&louder, ClientId(2), &mut effects).unwrap();
        assert_eq!(room.record_of(ClientId(2)).volume_db, Some(-3.0));
        assert_eq!(effects.writes, []);
        room.leave(ClientId(2));
        enter(&mut room, 2);
        assert_eq!(room.record_of(ClientId(2)).volume_db, None);
    }

    fn own(id: u32) -> AssignRequest {
        let clients = vec![ClientId(id)];
        AssignRequest { clients, volume_db: Some(-6.0), ..AssignRequest::default() }
    }

    #[test]
    fn machines_that_clients_invent_replace_none_that_a_conductor_has_assigned() {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let mut effects = Effects::default();
        // A class of thirty with seats, which is away.
        for id in 1..=30 {
            enter(&mut room, id);
        }
        for id in 1..=30 {
            let clients = vec![ClientId(id)];
            let seat = AssignRequest { clients, seat: Some(id as u16), ..AssignRequest::default() };
            room.assign(&seat, ClientId(1), &mut effects).unwrap();
        }
        (1..=30).for_each(|id| drop(room.leave(ClientId(id))));
        // Somebody who may only listen comes again and again, each time as another machine.
        let mut refused = 0;
        for id in 100..10_100 {
            let machine = Some(MachineId(u128::from(id)));
            let member = Member::new("x".into(), ClientKind::Page, Rights::Listener).on(machine);
            room.enter(ClientId(id), member);
            refused += u32::from(room.assign(&own(id), ClientId(id), &mut effects).is_err());
            room.leave(ClientId(id));
        }
        assert_eq!(refused, 0, "their own oldest make space");
        // Or all of them stay.
        for id in 20_000..30_000 {
            let machine = Some(MachineId(u128::from(id)));
            let member = Member::new("x".into(), ClientKind::Page, Rights::Listener).on(machine);
            room.enter(ClientId(id), member);
            refused += u32::from(room.assign(&own(id), ClientId(id), &mut effects).is_err());
        }
        assert_eq!(refused, 10_000 - (4096 - 30));
        for id in 1..=30 {
            enter(&mut room, id);
            assert_eq!(room.members[&ClientId(id)].assigned.seat, Some(id as u16));
        }
    }
}
