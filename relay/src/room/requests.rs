//! What the room does about requests for variables: who is meant, which number and instant it is.
//!
//! Pure: the caller passes the time.

use downbeat_protocol::{
    By, ClientId, DeclareRequest, ErrorCode, Refusal, RelayTime, RemoveRequest, SetRequest, Target,
    TargetRequest, ValueChange, VariableState, VariablesChange,
};

use super::{
    member::Owner,
    refuse::{invalid, refusal},
    state::Room,
    variables::{AckTo, Effects, Set},
};
use crate::websocket::client::Wire;

impl Room {
    /// Declares variables: all of them, or none.
    ///
    /// # Errors
    /// If one is invalid, contradicts one that exists, or there is no space.
    pub(super) fn declare(
        &mut self,
        request: DeclareRequest,
    ) -> Result<Option<VariablesChange>, Refusal> {
        request.validate().map_err(invalid)?;
        self.variables.declare(request.variables)
    }

    /// Removes variables.
    ///
    /// # Errors
    /// If there are too many names.
    pub(super) fn remove(
        &mut self,
        request: &RemoveRequest,
        now: RelayTime,
    ) -> Result<Effects, Refusal> {
        request.validate().map_err(invalid)?;
        let (variables, mut stamp) = self.variables_and_stamp(now);
        Ok(variables.remove(&request.names, now, &mut stamp))
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
    ) -> Result<Effects, Refusal> {
        request.validate().map_err(invalid)?;
        let SetRequest { name, value, over_micros, when, target, ack } = request;
        let variable = self.variables.declaration(&name)?;
        let value = variable.check(&value).map_err(invalid)?;
        let is_per_machine = variable.is_per_machine();
        let target = match target {
            Some(_) if !is_per_machine => {
                let message = format!("{name:?} has one value for all, and so no target");
                return Err(refusal(ErrorCode::InvalidValue, message));
            }
            Some(target) => self.machines_in(target, by.id)?,
            None => None,
        };
        let ack = ack.map(|ack| AckTo { client: by.id, ack });
        let set = Set { name, value, over_micros, when, target, by };
        let (variables, mut stamp) = self.variables_and_stamp(now);
        variables.set(set, ack, now, &mut stamp)
    }

    /// Sends the values that have waited for their turn.
    pub(super) fn send_due(&mut self, now: RelayTime) -> Effects {
        let (variables, mut stamp) = self.variables_and_stamp(now);
        variables.send_due(now, &mut stamp)
    }

    /// The variables and the values that wait, for a member that has just been admitted.
    pub(super) fn variables_for(
        &mut self,
        id: ClientId,
        now: RelayTime,
    ) -> (Vec<VariableState>, Vec<ValueChange>) {
        let Some(member) = self.members.get(&id) else { return Default::default() };
        let owner = member.owner(id);
        let includes = |target: &Target| target.includes(id, &member.name, &member.tags);
        (self.variables.states(owner, now), self.variables.pending(owner, includes))
    }

    /// The target of a value, and the machines in it. `None` is everyone.
    fn machines_in(
        &mut self,
        request: TargetRequest,
        by: ClientId,
    ) -> Result<Option<(Target, Vec<Owner>)>, Refusal> {
        let Some(target) = self.resolve_target(Some(request), false, by)? else { return Ok(None) };
        let members = self.members_in(&target).filter(|(_, member)| member.wire() == Wire::V1);
        let mut owners: Vec<_> = members.map(|(id, member)| member.owner(id)).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.is_empty() {
            return Err(refusal(ErrorCode::NoTarget, "no machine is in the target"));
        }
        Ok(Some((target, owners)))
    }
}
