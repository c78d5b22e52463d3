//! Who plays a trigger, and who a value is for.

use serde::{Deserialize, Serialize};

use crate::{client::ClientId, name};

/// The target that a client requests. Lists add up; if all are empty, it is everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRequest {
    /// Clients of these names.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Clients with one of these tags.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Clients of these numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientId>,
    /// All of them but the sender.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others: bool,
    /// One of them, which the relay chooses at random.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one: bool,
}

/// The target of what the relay broadcasts. Lists add up; if all are empty, it is everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Clients of these names.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Clients with one of these tags.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Clients of these numbers. The order is that of a stagger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientId>,
    /// Not this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<ClientId>,
}

impl Target {
    /// Whether it includes a client.
    #[must_use]
    pub fn includes(&self, client: ClientId, name: &str, tags: &[String]) -> bool {
        let is_listed = self.clients.contains(&client)
            || self.names.iter().any(|listed| listed == name)
            || self.tags.iter().any(|tag| tags.contains(tag));
        self.except != Some(client) && (self.is_unlisted() || is_listed)
    }

    /// Whether it lists nobody, and so includes everyone but the exception.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty() && self.clients.is_empty()
    }
}

/// When a request takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// As soon as all machines can be together: after the lead.
    #[default]
    Together,
    /// This many microseconds later than that, at most an hour.
    AfterMicros(u64),
    /// On arrival, on each machine for itself.
    Now,
}

impl When {
    pub(crate) fn is_together(&self) -> bool {
        *self == Self::Together
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_includes_who_is_listed_or_everyone_but_the_exception() {
        let tags = ["left".to_owned(), "brass".to_owned()];
        let includes = |target: &Target| target.includes(ClientId(7), "lab-3", &tags);
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(includes(&Target::default()));
        assert!(includes(&Target { names: strings(&["lab-1", "lab-3"]), ..Target::default() }));
        assert!(includes(&Target { tags: strings(&["brass"]), ..Target::default() }));
        assert!(includes(&Target { clients: vec![ClientId(7)], ..Target::default() }));
        assert!(!includes(&Target { tags: strings(&["right"]), ..Target::default() }));
        let except = Some(ClientId(7));
        assert!(!includes(&Target { except, ..Target::default() }));
        assert!(!includes(&Target { names: strings(&["lab-3"]), except, ..Target::default() }));
        let except = Some(ClientId(8));
        assert!(includes(&Target { except, ..Target::default() }));
    }
}
