//! What the room does about requests for variables: who is meant, which number and instant it is.
//!
//! Pure: the caller passes the time.

use downbeat_protocol::{
    By, ClientId, DeclareRequest, ErrorCode, Refusal, RelayTime, RemoveRequest, SetRequest, Target,
    TargetRequest, ValueChange, Variable, VariableState,
};

use super::{
    effects::Effects,
    member::Owner,
    refuse::{invalid, refusal},
    state::Room,
    variables::Set,
};
use crate::{
    store::{AckTo, Stored, Write},
    text::Sanitized,
    websocket::client::Wire,
};

impl Room {
    /// Begins with the variables of the settings, and with what an earlier run has stored: a variable of the
    /// settings replaces a stored one of its name, whose values stay if it takes them. Returns what is to be
    /// stored now.
    ///
    /// # Errors
    /// If the settings contradict themselves, or there is no space for their variables.
    pub(super) fn restore(
        &mut self,
        settings: &[Variable],
        stored: Stored,
    ) -> Result<Vec<Write>, Refusal> {
        let mut effects = Effects::default();
        self.variables.declare(settings.to_vec(), &mut effects)?;
        for variable in stored.variables {
            if settings.iter().any(|declared| declared.name == variable.name) {
                continue;
            }
            let name = variable.name.clone();
            let declared = match variable.validate() {
                Ok(()) => self.variables.declare(vec![variable], &mut effects),
                Err(error) => Err(invalid(error)),
            };
            if let Err(Refusal { message, .. }) = declared {
                tracing::warn!(reason = %Sanitized(&message), "a stored variable is removed");
                effects.writes.push(Write::Undeclare { name });
            }
        }
        let mut writes = effects.writes;
        self.locked = stored.locked;
        let forgotten = self.machines.restore(stored.machines);
        let values = stored.values.into_iter();
        let (lost, values) =
            values.partition(|v| v.machine.is_some_and(|machine| !self.machines.keeps(machine)));
        let lost: Vec<_> = lost;
        writes.extend(forgotten.into_iter().map(|machine| Write::Forget { machine }));
        writes.extend(lost.into_iter().map(|v| Write::Unset { name: v.name, machine: v.machine }));
        writes.extend(self.variables.restore(values));
        Ok(writes)
    }

    /// Declares variables: all of them, or none.
    ///
    /// # Errors
    /// If one is invalid, contradicts one that exists, or there is no space.
    pub(super) fn declare(
        &mut self,
        request: DeclareRequest,
        by: ClientId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        self.variables.declare(request.variables, effects)?;
        effects.acks.extend(request.ack.map(|ack| AckTo { client: by, ack }));
        Ok(())
    }

    /// Removes variables.
    ///
    /// # Errors
    /// If there are too many names.
    pub(super) fn remove(
        &mut self,
        request: &RemoveRequest,
        by: ClientId,
        now: RelayTime,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        let (variables, mut stamp) = self.variables_and_stamp(now);
        variables.remove(&request.names, now, &mut stamp, effects);
        effects.acks.extend(request.ack.map(|ack| AckTo { client: by, ack }));
        Ok(())
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// If there is none of that name, it does not take the value, or there is no space.
    pub(super) fn set(
        &mut self,
        request: SetRequest,
        by: By,
        now: RelayTime,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        request.validate().map_err(invalid)?;
        let SetRequest { name, value, over_micros, when, target, ack } = request;
        let variable = self.variables.declaration(&name)?;
        let value = variable.check(&value).map_err(invalid)?;
        let (is_per_machine, is_event) = (variable.is_per_machine(), variable.event);
        let target = match target {
            Some(_) if !is_per_machine => {
                let message = format!("{name:?} has one value for all, and so no target");
                return Err(refusal(ErrorCode::InvalidValue, message));
            }
            Some(target) => self.machines_in(target, by.id)?,
            None => None,
        };
        let ack = ack.map(|ack| AckTo { client: by.id, ack });
        let by_conductor = self.is_conductor(by.id);
        let set = Set { name, value, over_micros, when, target, by };
        let machines = set.target.iter().flat_map(|(_, owners)| owners);
        // An event is kept of none.
        let machines: Vec<_> = machines.filter_map(Owner::machine).filter(|_| !is_event).collect();
        let lacking = self.variables.lacking(&set, now)?;
        self.keep_machines(&machines, lacking, by_conductor, effects)?;
        let (variables, mut stamp) = self.variables_and_stamp(now);
        variables.set(set, ack, now, &mut stamp, effects)
    }

    /// Sends the values that have waited for their turn.
    pub(super) fn send_due(&mut self, now: RelayTime, effects: &mut Effects) {
        let (variables, mut stamp) = self.variables_and_stamp(now);
        variables.send_due(now, &mut stamp, effects);
    }

    /// The variables and the values that wait, for a member that has just been admitted.
    pub(super) fn variables_for(
        &mut self,
        id: ClientId,
        now: RelayTime,
        effects: &mut Effects,
    ) -> (Vec<VariableState>, Vec<ValueChange>) {
        let since = self.sounding_since(now);
        let Some(member) = self.members.get(&id) else { return Default::default() };
        let (owner, machine) = (member.owner(id), member.machine);
        let includes = |target: &Target| target.includes(id, member.name(), &member.assigned.tags);
        let states = self.variables.states(owner, since, now);
        let (pending, has_joined) = self.variables.pending(owner, includes, effects);
        if let Some(machine) = machine.filter(|_| has_joined)
            && self.keep_machines(&[machine], 0, false, effects).is_err()
        {
            // There is no space for it: it hears the values, and keeps none.
            self.variables.forget(owner, effects);
        }
        (states, pending)
    }

    /// The target of a value, and the machines in it. `None` is everyone.
    fn machines_in(
        &mut self,
        request: TargetRequest,
        by: ClientId,
    ) -> Result<Option<(Target, Vec<Owner>)>, Refusal> {
        let Some(target) = self.resolve_target(Some(request), false, by)? else { return Ok(None) };
        let members = self.members_in(&target).into_iter();
        let members = members.filter(|(_, member)| member.wire() == Wire::V1);
        let mut owners: Vec<_> = members.map(|(id, member)| member.owner(id)).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.is_empty() {
            return Err(refusal(ErrorCode::NoTarget, "no machine is in the target"));
        }
        Ok(Some((target, owners)))
    }
}
