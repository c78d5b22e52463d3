//! What the room keeps of machines: seats and tags, and for whose values there is space.
//!
//! Pure: nothing here does I/O.

use std::collections::{BTreeMap, BTreeSet};

use downbeat_protocol::{AssignRequest, ClientId, ErrorCode, MachineId, Refusal};

use super::{
    effects::Effects,
    member::Owner,
    refuse::{invalid, refusal},
    state::Room,
};
use crate::store::{AckTo, Write};

impl Room {
    /// Gives the machines of clients a seat and tags.
    ///
    /// # Errors
    /// If a value is out of range, none of the clients is connected, or there is no space.
    pub(super) fn assign(
        &mut self,
        request: &AssignRequest,
        by: ClientId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        let named = request.clients.iter().filter_map(|id| Some((*id, self.members.get(id)?)));
        let owners: BTreeMap<_, _> =
            named.map(|(id, member)| (member.owner(id), member.name.clone())).collect();
        if owners.is_empty() {
            return Err(refusal(ErrorCode::NoTarget, "none of these clients is connected"));
        }
        let tags = request.tags.as_ref().map(|tags| {
            let mut known = BTreeSet::new();
            tags.iter().filter(|tag| known.insert(*tag)).cloned().collect::<Vec<_>>()
        });
        for owner in owners.keys() {
            let Owner::Machine(machine) = *owner else { continue };
            self.keep_machine(machine, effects)?;
            self.machines.assign(machine, request.seat, tags.as_deref());
            effects.writes.extend(self.machines.stored(machine));
        }
        for (id, member) in &mut self.members {
            if !owners.contains_key(&member.owner(*id)) {
                continue;
            }
            if let Some(seat) = request.seat {
                member.seat = (seat > 0).then_some(seat);
            }
            if let Some(tags) = &tags {
                member.tags.clone_from(tags);
            }
            effects.entries.push(*id);
        }
        effects.acks.extend(request.ack.map(|ack| AckTo { client: by, ack }));
        Ok(())
    }

    /// Begins to keep something of a machine, if nothing is kept of it. For its space, the machine that was
    /// away for longest may be forgotten.
    ///
    /// # Errors
    /// If there are too many, and all are here.
    pub(super) fn keep_machine(
        &mut self,
        machine: MachineId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.machines.keeps(machine) {
            return Ok(());
        }
        if !self.machines.has_space() && !self.forget_oldest_machine(effects) {
            return Err(refusal(ErrorCode::Full, "too many machines have a seat, tags or values"));
        }
        let mut clients = self.members.values().filter(|m| m.machine == Some(machine)).peekable();
        let name = clients.peek().map(|member| member.name.clone()).unwrap_or_default();
        self.machines.keep(machine, &name, clients.count());
        effects.writes.extend(self.machines.stored(machine));
        Ok(())
    }

    /// Forgets the machine that was away for longest, and its values; false if all are here.
    pub(super) fn forget_oldest_machine(&mut self, effects: &mut Effects) -> bool {
        let Some(machine) = self.machines.forget_oldest() else { return false };
        self.variables.forget(Owner::Machine(machine), effects);
        effects.writes.push(Write::Forget { machine });
        true
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{
        By, ClientKind, DeclareRequest, RelayTime, SetRequest, TargetRequest, When,
    };
    use serde_json::json;

    use super::*;
    use crate::{
        room::{
            lead::Lead,
            member::{Member, Role},
        },
        store::Write,
    };

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    fn enter(room: &mut Room, id: u32) {
        let machine = Some(MachineId(u128::from(id)));
        let member = Member::new(format!("m{id}"), ClientKind::Window, Role::Bang).on(machine);
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
}
