//! Resolves who a trigger or a value is for.

use downbeat_protocol::{ClientId, ClientToRelay, ErrorCode, Refusal, Target, TargetRequest};

use super::{listed::Listed, member::Member, refuse::refusal, state::Room};

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
            .into_iter()
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

    /// The members in a target, in the order of their numbers.
    pub(super) fn members_in(&self, target: &Target) -> Vec<(ClientId, &Member)> {
        let is_meant = |id: ClientId| target.except != Some(id);
        if lists_only_clients(&target.names, &target.tags, &target.clients) {
            let mut ids = target.clients.clone();
            ids.sort_unstable();
            ids.dedup();
            let ids = ids.into_iter().filter(|id| is_meant(*id));
            return ids.filter_map(|id| Some((id, self.members.get(&id)?))).collect();
        }
        let listed = (!target.is_unlisted()).then(|| Listed::by(target));
        let members = self.members.iter().map(|(id, member)| (*id, member));
        let is_listed = |id, member| listed.as_ref().is_none_or(|listed| listed.has(id, member));
        members.filter(|(id, member)| is_meant(*id) && is_listed(*id, member)).collect()
    }

    /// How many members are looked at to find whom a message is for.
    pub(super) fn looked_at(&self, message: &ClientToRelay) -> usize {
        let (target, is_needed) = match message {
            ClientToRelay::Set(request) => (request.target.as_ref(), request.target.is_some()),
            ClientToRelay::Trigger(request) => {
                let is_one = request.target.as_ref().is_some_and(|target| target.one);
                (request.target.as_ref(), is_one || request.stagger_micros > 0)
            }
            _ => (None, false),
        };
        let is_found_by_number = |target: &TargetRequest| {
            lists_only_clients(&target.names, &target.tags, &target.clients)
        };
        if is_needed && !target.is_some_and(is_found_by_number) { self.members.len() } else { 0 }
    }
}

/// Whether the members of a target are found by their numbers, without looking at the others.
fn lists_only_clients(names: &[String], tags: &[String], clients: &[ClientId]) -> bool {
    names.is_empty() && tags.is_empty() && !clients.is_empty()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use downbeat_protocol::{ClientKind, Rights, TriggerRequest};

    use super::*;
    use crate::{room::lead::Lead, store::Assigned};

    /// A room of so many, each with a name and a tag of its own, and one of every third.
    fn room(count: u32) -> Room {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        for id in 1..=count {
            let name = format!("m{id}");
            let mut member = Member::new(name, ClientKind::Window, Rights::Player);
            let tags = vec![format!("t{id}"), format!("third {}", id % 3)];
            member.assigned = Arc::new(Assigned { tags, ..Assigned::default() });
            room.members.insert(ClientId(id), member);
        }
        room
    }

    #[test]
    fn the_members_in_a_target_are_those_that_it_includes() {
        let room = room(12);
        let texts =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let names = [texts(&[]), texts(&["m7", "m3", "nobody"])];
        let tags = [texts(&[]), texts(&["t9", "third 1"])];
        let clients = [vec![], [9, 2, 9, 99].map(ClientId).to_vec()];
        for (names, tags, clients) in combined(&names, &tags, &clients) {
            for except in [None, Some(ClientId(2)), Some(ClientId(7))] {
                let target = Target {
                    names: names.clone(),
                    tags: tags.clone(),
                    clients: clients.clone(),
                    except,
                };
                let expected = room.members.iter().filter(|(id, member)| {
                    target.includes(**id, member.name(), &member.assigned.tags)
                });
                let expected: Vec<_> = expected.map(|(id, _)| *id).collect();
                let members = room.members_in(&target);
                assert_eq!(members.iter().map(|(id, _)| *id).collect::<Vec<_>>(), expected);
            }
        }
    }

    /// Each combination of these.
    fn combined<'a>(
        names: &'a [Vec<String>],
        tags: &'a [Vec<String>],
        clients: &'a [Vec<ClientId>],
    ) -> impl Iterator<Item = (&'a Vec<String>, &'a Vec<String>, &'a Vec<ClientId>)> {
        names.iter().flat_map(move |names| {
            tags.iter()
                .flat_map(move |tags| clients.iter().map(move |clients| (names, tags, clients)))
        })
    }

    #[test]
    fn who_has_a_name_or_a_tag_is_looked_for_among_all() {
        let room = room(100);
        let target = |value: serde_json::Value| Some(serde_json::from_value(value).unwrap());
        let names = || target(serde_json::json!({"names": ["m7"]}));
        let clients = || target(serde_json::json!({"clients": [7], "one": true}));
        let everyone = || target(serde_json::json!({"others": true}));
        let set = |target: Option<TargetRequest>| {
            let mut set = serde_json::json!({"name": "x", "value": 1});
            set["target"] = serde_json::to_value(target).unwrap();
            room.looked_at(&ClientToRelay::Set(serde_json::from_value(set).unwrap()))
        };
        assert_eq!((set(None), set(names()), set(clients()), set(everyone())), (0, 100, 0, 100));
        let trigger = |target, stagger_micros| {
            let request = TriggerRequest { target, stagger_micros, ..TriggerRequest::default() };
            room.looked_at(&ClientToRelay::Trigger(request))
        };
        assert_eq!((trigger(names(), 0), trigger(names(), 1)), (0, 100));
        assert_eq!((trigger(None, 0), trigger(None, 1)), (0, 100));
        assert_eq!((trigger(clients(), 0), trigger(clients(), 1)), (0, 0));
    }
}
