//! What the room does about requests that change what is kept of machines.
//!
//! Pure: nothing here does I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use downbeat_protocol::{
    AssignRequest, ClientId, ErrorCode, ForgetRequest, Refusal, RelayToClient, Rights,
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
        let machines: Vec<_> = owners.keys().filter_map(Owner::machine).collect();
        self.keep_machines(&machines, 0, by_conductor, effects)?;
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
            self.variables.forget(Owner::Machine(machine), effects);
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
            let (before, rights_before) = (member.entry(id), member.rights());
            member.assigned = assigned.clone();
            let (is_seen, rights) = (member.entry(id) != before, member.rights());
            if is_seen {
                effects.first.push((id, RelayToClient::Roster(self.change_of(id))));
            }
            effects.first.push((id, RelayToClient::Machine(self.record_of(id))));
            if rights < Rights::Conductor {
                self.watching.stop(id);
                effects.demoted.extend((rights_before == Rights::Conductor).then_some(id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientKind, MachineId};

    use super::*;
    use crate::room::{lead::Lead, member::Member};

    fn own(id: u32) -> AssignRequest {
        let clients = vec![ClientId(id)];
        AssignRequest { clients, volume_db: Some(-6.0), ..AssignRequest::default() }
    }

    #[test]
    fn a_request_about_a_machine_is_told_to_eight_clients_however_many_send_its_number() {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        for id in 1..=60 {
            let member = Member::new("one".into(), ClientKind::Page, Rights::Listener);
            room.enter(ClientId(id), member.on(Some(MachineId(7))));
        }
        for (id, told) in [(1, 8), (8, 8), (9, 1), (60, 1)] {
            let mut effects = Effects::default();
            let assign = AssignRequest { volume_db: Some(-(id as f32)), ..own(id) };
            room.assign(&assign, ClientId(id), &mut effects).unwrap();
            assert_eq!(effects.first.len(), told, "of client {id}");
            assert_eq!(effects.writes.is_empty(), told == 1, "of client {id}");
        }
        assert_eq!(room.record_of(ClientId(9)).volume_db, Some(-9.0));
        // The next one takes the place of one that has left.
        room.leave(ClientId(3));
        let member = Member::new("one".into(), ClientKind::Page, Rights::Listener);
        room.enter(ClientId(61), member.on(Some(MachineId(7))));
        assert_eq!(room.record_of(ClientId(61)).volume_db, Some(-8.0));
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
