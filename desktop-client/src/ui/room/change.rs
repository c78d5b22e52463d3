//! The actions that change machines. Pure: from machines to what is asked of the session.

use downbeat_protocol::{AssignRequest, ClientId, Command, MachineNumber};

use super::machine::Machine;
use crate::action::Action;

/// Changes what is kept about machines; nothing without any.
pub(super) fn assign<'a>(
    machines: impl IntoIterator<Item = &'a Machine<'a>>,
    change: impl FnOnce(&mut AssignRequest),
) -> Option<Action> {
    request(machines, change).map(Action::Assign)
}

/// Does all of these; nothing without any. It is one action: the session has room for few.
pub(super) fn assign_each(mut requests: Vec<AssignRequest>) -> Option<Action> {
    match requests.len() {
        0 | 1 => requests.pop().map(Action::Assign),
        _ => Some(Action::AssignEach(requests)),
    }
}

/// The request that changes machines; none without any.
pub(super) fn request<'a>(
    machines: impl IntoIterator<Item = &'a Machine<'a>>,
    change: impl FnOnce(&mut AssignRequest),
) -> Option<AssignRequest> {
    let mut request = AssignRequest::default();
    for machine in machines {
        match (machine.client, machine.number()) {
            (Some(client), _) => request.clients.push(client.id),
            (None, Some(number)) => request.machines.push(number),
            (None, None) => {}
        }
    }
    if request.clients.is_empty() && request.machines.is_empty() {
        return None;
    }
    change(&mut request);
    Some(request)
}

/// Lets machines do something at once; nothing if none of them can.
pub(super) fn command<'a>(
    machines: impl IntoIterator<Item = &'a Machine<'a>>,
    command: Command,
) -> Option<Action> {
    let clients: Vec<ClientId> = machines.into_iter().filter_map(commanded).collect();
    (!clients.is_empty()).then_some(Action::Command { clients, command })
}

/// The client of a machine that can be commanded.
pub(super) fn commanded(machine: &Machine<'_>) -> Option<ClientId> {
    machine.client.filter(|_| machine.is_player()).map(|client| client.id)
}

/// Forgets machines; nothing if nothing is kept of them.
pub(super) fn forget<'a>(machines: impl IntoIterator<Item = &'a Machine<'a>>) -> Option<Action> {
    let numbers: Vec<MachineNumber> = machines.into_iter().filter_map(Machine::number).collect();
    (!numbers.is_empty()).then_some(Action::Forget(numbers))
}
