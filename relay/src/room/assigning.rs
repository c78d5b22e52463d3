//! What the room does about requests that change what is kept of machines, and for whose values there is space.
//!
//! Pure: nothing here does I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use downbeat_protocol::{
    AssignRequest, ClientId, ErrorCode, ForgetRequest, MachineId, Refusal, RelayToClient, Rights,
};

use super::{
    effects::Effects,
    member::Owner,
    refuse::{invalid, refusal},
    state::Room,
};
use crate::store::{AckTo, Assigned, Write};

impl Room {
    /// Changes what is kept of machines: of those of clients, and of those of numbers.
    ///
    /// # Errors
    /// If a value is out of range, none of the machines exists, none of them reports an output whose extra
    /// latency could be changed, or there is no space.
    pub(super) fn assign(
        &mut self,
        request: &AssignRequest,
        by: ClientId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        let owners = self.owners_in(request);
        if owners.is_empty() {
            return Err(refusal(
                ErrorCode::NoTarget,
                "none of these clients and machines is known",
            ));
        }
        if request.extra_latency_micros.is_some() && owners.values().all(BTreeSet::is_empty) {
            let message =
                "none of these machines reports an output whose extra latency could be set";
            return Err(refusal(ErrorCode::InvalidValue, message));
        }
        let by_conductor = self.is_conductor(by);
        // First, because it may fail.
        for owner in owners.keys() {
            if let Owner::Machine(machine) = owner {
                self.keep_machine(*machine, by_conductor, effects)?;
            }
        }
        for (owner, outputs) in owners {
            let Some(before) = self.assigned_to(owner).cloned() else { continue };
            let outputs: Vec<_> = outputs.into_iter().collect();
            let after = before.changed(request, &outputs);
            if after != *before {
                self.set_assigned(owner, &Arc::new(after), by_conductor, effects);
            }
        }
        effects.acks.extend(request.ack.map(|ack| AckTo { client: by, ack }));
        Ok(())
    }

    /// Forgets machines, and their values. Those that are connected begin anew.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn forget(
        &mut self,
        request: &ForgetRequest,
        by: ClientId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        for number in &request.machines {
            let Some(machine) = self.machines.of_number(*number) else { continue };
            self.forget_values(machine, effects);
            // While it is kept, so that its clients are told.
            self.set_assigned(Owner::Machine(machine), &Arc::default(), true, effects);
            self.machines.forget(machine);
            effects.writes.push(Write::Forget { machine });
        }
        effects.acks.extend(request.ack.map(|ack| AckTo { client: by, ack }));
        Ok(())
    }

    /// Whose machines a request is about, each with the outputs that its clients in the request use.
    fn owners_in(&self, request: &AssignRequest) -> BTreeMap<Owner, BTreeSet<String>> {
        let mut owners: BTreeMap<Owner, BTreeSet<String>> = BTreeMap::new();
        let machines =
            request.machines.iter().filter_map(|number| self.machines.of_number(*number));
        let mut clients = request.clients.clone();
        for machine in machines {
            owners.entry(Owner::Machine(machine)).or_default();
            clients.extend(self.machines.clients(machine));
        }
        for id in clients {
            let Some(member) = self.members.get(&id) else { continue };
            let output = member.report.as_ref().and_then(|report| report.output.clone());
            owners.entry(member.owner(id)).or_default().extend(output);
        }
        owners
    }

    fn assigned_to(&self, owner: Owner) -> Option<&Arc<Assigned>> {
        match owner {
            Owner::Machine(machine) => self.machines.assigned(machine),
            Owner::Connection(id) => Some(&self.members.get(&id)?.assigned),
        }
    }

    /// Replaces what was assigned to a machine, and tells each of its clients: how others see it, if that has
    /// changed, and what it may do.
    fn set_assigned(
        &mut self,
        owner: Owner,
        assigned: &Arc<Assigned>,
        by_conductor: bool,
        effects: &mut Effects,
    ) {
        let clients = match owner {
            Owner::Machine(machine) => {
                self.machines.assign(machine, assigned.clone(), by_conductor);
                effects.writes.extend(self.machines.stored(machine));
                self.machines.clients(machine).to_vec()
            }
            Owner::Connection(id) => vec![id],
        };
        for id in clients {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let before = member.entry(id);
            member.assigned = assigned.clone();
            let (is_seen, rights) = (member.entry(id) != before, member.rights());
            if is_seen {
                effects.first.push((id, RelayToClient::Roster(self.change_of(id))));
            }
            effects.first.push((id, RelayToClient::Machine(self.record_of(id))));
            if rights < Rights::Conductor {
                self.watching.stop(id);
            }
        }
    }

    /// Begins to keep something of a machine, if nothing is kept of it. For its space, the machine that was
    /// away for longest may be forgotten.
    ///
    /// # Errors
    /// If there are too many, and all are here, or all that are away were assigned by a conductor and this one
    /// is not.
    pub(super) fn keep_machine(
        &mut self,
        machine: MachineId,
        by_conductor: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.machines.keeps(machine) {
            return Ok(());
        }
        if !self.machines.has_space() && !self.forget_oldest_machine(by_conductor, effects) {
            return Err(refusal(ErrorCode::Full, "too much is kept of too many machines"));
        }
        let here = self.members.iter().filter(|(_, member)| member.machine == Some(machine));
        let (clients, names): (Vec<_>, Vec<_>) =
            here.map(|(id, member)| (*id, member.own_name())).unzip();
        self.machines.keep(machine, names.last().copied().unwrap_or_default(), clients);
        effects.writes.extend(self.machines.stored(machine));
        Ok(())
    }

    /// Forgets the machine that was away for longest, and its values; false if there is none that may be
    /// forgotten.
    pub(super) fn forget_oldest_machine(
        &mut self,
        for_conductor: bool,
        effects: &mut Effects,
    ) -> bool {
        let Some(machine) = self.machines.forget_oldest(for_conductor) else { return false };
        self.forget_values(machine, effects);
        effects.writes.push(Write::Forget { machine });
        true
    }

    fn forget_values(&mut self, machine: MachineId, effects: &mut Effects) {
        self.variables.forget(Owner::Machine(machine), effects);
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
        room::{lead::Lead, member::Member},
        store::Write,
    };

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

    #[test]
    fn of_a_client_without_a_machine_it_lasts_as_long_as_its_connection() {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let mut effects = Effects::default();
        let member = || Member::new("one".into(), ClientKind::Page, Rights::Conductor);
        room.enter(ClientId(1), member());
        room.assign(&own(1), ClientId(1), &mut effects).unwrap();
        assert_eq!(room.record_of(ClientId(1)).volume_db, Some(-6.0));
        assert_eq!(effects.writes, []);
        // What changes nothing is told to nobody.
        let told = effects.first.len();
        room.assign(&own(1), ClientId(1), &mut effects).unwrap();
        assert_eq!((told, effects.first.len()), (1, 1));
        room.leave(ClientId(1));
        room.enter(ClientId(1), member());
        assert_eq!(room.record_of(ClientId(1)).volume_db, None);
    }
}
