//! Who plays what is pressed in this window, and when: the choice, and what it adds to a request.
//!
//! Pure data: `target_panel` shows it.

use std::collections::BTreeSet;

use downbeat_protocol::{TargetRequest, TriggerRequest, When};

/// The shortest and the longest time between two machines, and until a delayed sound.
pub(super) const MAX_STAGGER_MS: u64 = 10_000;
pub(super) const MAX_DELAY_MS: u64 = 3_600_000;

/// Which of the chosen machines play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Who {
    /// All of them.
    #[default]
    All,
    /// All of them but this one.
    Others,
    /// One of them, at random.
    One,
}

/// When they play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Moment {
    /// As soon as all can be together.
    #[default]
    Together,
    /// Later than that.
    After,
    /// On arrival.
    Now,
}

/// Who plays, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) who: Who,
    /// The chosen machines, by name: a machine that comes back is still meant. With `tags` empty too,
    /// everyone.
    pub(super) names: BTreeSet<String>,
    /// The chosen tags.
    pub(super) tags: BTreeSet<String>,
    /// One machine after the other, in the order of their seats.
    pub(super) is_round: bool,
    pub(super) stagger_ms: u64,
    pub(super) moment: Moment,
    pub(super) delay_ms: u64,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            who: Who::All,
            names: BTreeSet::new(),
            tags: BTreeSet::new(),
            is_round: false,
            stagger_ms: 120,
            moment: Moment::Together,
            delay_ms: 1000,
        }
    }
}

impl Target {
    /// Whether nobody in particular is chosen.
    pub(super) fn is_whole_room(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty()
    }

    /// Chooses this machine, or no longer.
    pub(super) fn toggle_name(&mut self, name: &str) {
        toggle(&mut self.names, name);
    }

    /// Chooses the machines with this tag, or no longer.
    pub(super) fn toggle_tag(&mut self, tag: &str) {
        toggle(&mut self.tags, tag);
    }

    /// Adds who plays when to a request. What is as usual stays absent.
    pub(super) fn address(&self, request: &mut TriggerRequest) {
        let target = TargetRequest {
            names: self.names.iter().cloned().collect(),
            tags: self.tags.iter().cloned().collect(),
            clients: Vec::new(),
            others: self.who == Who::Others,
            one: self.who == Who::One,
        };
        request.target = (target != TargetRequest::default()).then_some(target);
        if self.is_round && self.who != Who::One {
            request.stagger_micros = self.stagger_ms.min(MAX_STAGGER_MS) * 1000;
        }
        request.when = match self.moment {
            Moment::Together => When::Together,
            Moment::After => When::AfterMicros(self.delay_ms.min(MAX_DELAY_MS) * 1000),
            Moment::Now => When::Now,
        };
    }

    /// In one line.
    pub(super) fn summary(&self) -> String {
        let chosen = match (self.names.len(), self.tags.len()) {
            (0, 0) => None,
            (0, 1..=2) => Some(join(&self.tags)),
            (1, 0) => Some(join(&self.names)),
            (names, 0) => Some(format!("{names} machines")),
            (0, tags) => Some(format!("{tags} tags")),
            (names, tags) => Some(format!("{} chosen", names + tags)),
        };
        let who = match (self.who, chosen) {
            (Who::All, None) => "Everyone".to_owned(),
            (Who::All, Some(chosen)) => chosen,
            (Who::Others, None) => "All but me".to_owned(),
            (Who::Others, Some(chosen)) => format!("{chosen}, not me"),
            (Who::One, None) => "One at random".to_owned(),
            (Who::One, Some(chosen)) => format!("One of {chosen}"),
        };
        let is_round = self.is_round && self.who != Who::One;
        let order = is_round.then(|| format!("round, {} ms", self.stagger_ms));
        let moment = match self.moment {
            Moment::Together => None,
            Moment::After => Some(format!("after {} ms", self.delay_ms)),
            Moment::Now => Some("now".to_owned()),
        };
        let parts: Vec<_> = [Some(who), order, moment].into_iter().flatten().collect();
        parts.join(" · ")
    }
}

fn toggle(set: &mut BTreeSet<String>, entry: &str) {
    if !set.remove(entry) {
        set.insert(entry.to_owned());
    }
}

fn join(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(target: &Target) -> TriggerRequest {
        let mut request = TriggerRequest::default();
        target.address(&mut request);
        request
    }

    #[test]
    fn everyone_together_adds_nothing_to_a_request() {
        let target = Target::default();
        assert_eq!(addressed(&target), TriggerRequest::default());
        assert_eq!(target.summary(), "Everyone");
    }

    #[test]
    fn each_choice_has_its_request_and_its_summary() {
        let mut target = Target { who: Who::Others, ..Target::default() };
        assert!(addressed(&target).target.unwrap().others);
        assert_eq!(target.summary(), "All but me");

        target.toggle_tag("brass");
        assert_eq!(target.summary(), "brass, not me");
        target.who = Who::One;
        assert_eq!(target.summary(), "One of brass");
        let request = addressed(&target).target.unwrap();
        assert!(request.one && !request.others);
        assert_eq!(request.tags, ["brass"]);

        target = Target { is_round: true, stagger_ms: 80, ..Target::default() };
        target.toggle_name("lab-1");
        target.toggle_name("lab-2");
        assert_eq!(target.summary(), "2 machines · round, 80 ms");
        let request = addressed(&target);
        assert_eq!(request.stagger_micros, 80_000);
        assert_eq!(request.target.unwrap().names, ["lab-1", "lab-2"]);

        target.toggle_name("lab-1");
        target.toggle_name("lab-2");
        target.moment = Moment::After;
        assert_eq!(addressed(&target).when, When::AfterMicros(1_000_000));
        assert_eq!(
            target.summary(),
            "Everyone · round, 120 ms · after 1000 ms".replace("120", "80")
        );
        target.moment = Moment::Now;
        assert_eq!(addressed(&target).when, When::Now);
    }
}
