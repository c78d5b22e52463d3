//! Resolves who a trigger or a value is for.

use downbeat_protocol::{ClientId, ErrorCode, Refusal, Target, TargetRequest};

use super::{member::Member, refuse::refusal, state::Room};

impl Room {
    /// The target of a trigger: with `one` a single player, and with a stagger the players in the order in
    /// which they sound. `None` is everyone.
    ///
    /// # Errors
    /// If no player is found where one is needed.
    pub(super) fn resolve_target(
        &mut self,
        request: Option<TargetRequest>,
        is_staggered: bool,
        by: ClientId,
    ) -> Result<Option<Target>, Refusal> {
        let TargetRequest { names, tags, clients, others, one } = request.unwrap_or_default();
        let target = Target { names, tags, clients, except: others.then_some(by) };
        if !one && !is_staggered {
            return Ok((target != Target::default()).then_some(target));
        }
        let mut players: Vec<_> = self
            .members_in(&target)
            .filter(|(_, member)| member.needed_lead().is_some())
            // Those without a seat come last. Members are in the order of their numbers already.
            .map(|(id, member)| (member.assigned.seat.unwrap_or(u16::MAX), id))
            .collect();
        if players.is_empty() {
            return Err(refusal(ErrorCode::NoTarget, "no player is in the target"));
        }
        if one {
            players = vec![players[self.random.usize(..players.len())]];
        }
        players.sort_unstable();
        let clients = players.into_iter().map(|(_, id)| id).collect();
        Ok(Some(Target { clients, ..Target::default() }))
    }

    /// The members in a target.
    pub(super) fn members_in(&self, target: &Target) -> impl Iterator<Item = (ClientId, &Member)> {
        let members = self.members.iter().map(|(id, member)| (*id, member));
        members.filter(|(id, member)| target.includes(*id, member.name(), &member.assigned.tags))
    }
}
