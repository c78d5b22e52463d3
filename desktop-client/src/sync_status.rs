//! How this machine's own part in the room stands: how well it knows the relay's time, and whether
//! the room waits for it. What is amiss is said in plain sentences, the same to every watcher.
//!
//! It changes only by what the session says, and reads no clock.

use downbeat_protocol::{ClientId, Roster};

use crate::{
    event::{SessionEvent, Wire},
    time::in_words,
};

/// A clock that may be off by more is worth a word: two clicks a few milliseconds apart are heard
/// as two.
pub const LOOSE_MICROS: u32 = 1_000;

/// Below this a loose clock is good again. The gap keeps a bound that hovers about the limit from
/// being told of over and over.
const TIGHT_MICROS: u32 = 800;

/// This machine's part in the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    place: Option<Place>,
    clock_error_micros: Option<u32>,
    loose: bool,
    straggles: Option<Straggles>,
}

/// What this player is to its relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    own: ClientId,
    most_lead_micros: u32,
}

/// It needs more lead than the room waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Straggles {
    needed_micros: Option<u32>,
    most_micros: u32,
}

impl Standing {
    /// Takes in what the session said, as far as it concerns this machine's standing.
    pub fn apply(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Connected { wire: Wire::Downbeat { id, most_lead_micros }, .. } => {
                self.straggles = None;
                self.place = Some(Place { own: *id, most_lead_micros: *most_lead_micros });
            }
            SessionEvent::Connected { wire: Wire::Plain, .. }
            | SessionEvent::Lost { .. }
            | SessionEvent::WrongAddress { .. } => *self = Self::default(),
            SessionEvent::Clock { error_micros } => self.set_clock(*error_micros),
            SessionEvent::Roster(roster) => self.find_in(roster),
            _ => {}
        }
    }

    fn set_clock(&mut self, error_micros: Option<u32>) {
        self.clock_error_micros = error_micros;
        let limit = if self.loose { TIGHT_MICROS } else { LOOSE_MICROS };
        self.loose = error_micros.is_some_and(|micros| micros > limit);
    }

    fn find_in(&mut self, roster: &Roster) {
        // Each client is told of itself, but in a crowd only after its first report.
        let Some(place) = self.place else { return };
        let Some(own) = roster.clients.iter().find(|client| client.id == place.own) else { return };
        self.straggles = own.straggler.then(|| Straggles {
            needed_micros: own.report.as_ref().and_then(|report| report.lead_micros),
            most_micros: place.most_lead_micros,
        });
    }

    /// How far this machine's idea of relay time can be off; none before the first estimate.
    #[must_use]
    pub fn clock_error_micros(&self) -> Option<u32> {
        self.clock_error_micros
    }

    /// Whether relay time is known too badly for two machines to be heard as one.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.loose
    }

    /// Whether the room does not wait for this machine.
    #[must_use]
    pub fn is_straggler(&self) -> bool {
        self.straggles.is_some()
    }

    /// Why this machine may be heard apart from the others, if it may.
    #[must_use]
    pub fn clock_problem(&self) -> Option<String> {
        let micros = self.clock_error_micros.filter(|_| self.loose)?;
        Some(format!(
            "This machine can be off by ±{}: the network or the output keeps time too unevenly",
            in_words(micros.into())
        ))
    }

    /// Why this machine does not start its sounds with the others, if it does not.
    #[must_use]
    pub fn lead_problem(&self) -> Option<String> {
        let Straggles { needed_micros, most_micros } = self.straggles?;
        let needs = needed_micros.map_or_else(
            || "more time".to_owned(),
            |micros| format!("{}, more", in_words(micros.into())),
        );
        let most = in_words(most_micros.into());
        Some(format!(
            "This machine needs {needs} than the room waits for ({most}): \
             it joins each sound in the middle"
        ))
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientKind, Report, RosterEntry};

    use super::*;

    fn connected() -> Standing {
        let mut standing = Standing::default();
        standing.apply(&SessionEvent::Connected {
            wire: Wire::Downbeat { id: ClientId(7), most_lead_micros: 500_000 },
            bank: Vec::new(),
            default_sound: "click".to_owned(),
        });
        standing
    }

    fn clock(standing: &mut Standing, error_micros: u32) -> Option<String> {
        standing.apply(&SessionEvent::Clock { error_micros: Some(error_micros) });
        standing.clock_problem()
    }

    fn roster(id: u32, lead_micros: Option<u32>, straggler: bool) -> SessionEvent {
        let client = RosterEntry {
            id: ClientId(id),
            name: "lab-3".to_owned(),
            kind: ClientKind::Window,
            report: Some(Report { lead_micros, ..Report::default() }),
            straggler,
        };
        SessionEvent::Roster(Roster { total: 1, clients: vec![client], lead_micros: 5_000 })
    }

    #[test]
    fn a_loose_clock_is_told_of_until_it_is_clearly_better() {
        let mut standing = connected();
        assert_eq!(clock(&mut standing, 1_000), None);
        assert_eq!(
            clock(&mut standing, 2_400).unwrap(),
            "This machine can be off by ±2.4 ms: the network or the output keeps time too unevenly"
        );
        assert!(clock(&mut standing, 900).is_some(), "it hovers");
        assert_eq!(clock(&mut standing, 800), None);
        assert_eq!(clock(&mut standing, 900), None);
    }

    #[test]
    fn a_straggler_is_told_what_it_needs_and_what_the_room_gives() {
        let mut standing = connected();
        standing.apply(&roster(2, Some(620_000), true));
        assert_eq!(standing.lead_problem(), None, "that is another machine");
        standing.apply(&roster(7, Some(620_000), true));
        assert_eq!(
            standing.lead_problem().unwrap(),
            "This machine needs 620 ms, more than the room waits for (500 ms): \
             it joins each sound in the middle"
        );
        standing.apply(&roster(7, None, true));
        assert!(standing.lead_problem().unwrap().contains("needs more time than the room"));
        standing.apply(&roster(7, Some(400_000), false));
        assert_eq!(standing.lead_problem(), None);
    }

    #[test]
    fn a_room_that_is_left_says_nothing_any_more() {
        let mut standing = connected();
        clock(&mut standing, 2_400);
        standing.apply(&roster(7, Some(620_000), true));
        standing.apply(&SessionEvent::WrongAddress { reason: "none".to_owned() });
        assert_eq!(standing, Standing::default());
    }
}
