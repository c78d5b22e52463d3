//! Whom a target lists, for many clients.
//!
//! Pure.

use std::collections::HashSet;

use downbeat_protocol::{ClientId, Target};

use super::member::Member;

/// About what the entries of a target take as JSON.
pub(super) fn bytes(Target { names, tags, clients, .. }: &Target) -> usize {
    let texts: usize = names.iter().chain(tags).map(|text| text.len() + 3).sum();
    texts + clients.len() * 11
}

/// Whom a target lists. [`Target::includes`] compares a client with each entry; this looks it up.
pub(super) struct Listed<'a> {
    names: HashSet<&'a str>,
    tags: HashSet<&'a str>,
    clients: HashSet<ClientId>,
}

impl<'a> Listed<'a> {
    pub(super) fn by(target: &'a Target) -> Self {
        Self {
            names: target.names.iter().map(String::as_str).collect(),
            tags: target.tags.iter().map(String::as_str).collect(),
            clients: target.clients.iter().copied().collect(),
        }
    }

    /// Whether it lists a client.
    pub(super) fn has(&self, id: ClientId, member: &Member) -> bool {
        let has_tag = || member.assigned.tags.iter().any(|tag| self.tags.contains(tag.as_str()));
        self.clients.contains(&id)
            || self.names.contains(member.name())
            || !self.tags.is_empty() && has_tag()
    }
}
