//! How soon the window has to show an event.
//!
//! Machines that sit idle report figures all the time. To draw the window for each report costs many times what the
//! rest of the player takes. Pure: it compares what a person should see at once, before and after an event.

use std::mem::{Discriminant, discriminant};

use downbeat_protocol::{MachineEntry, Report, Roster};

use super::{State, trouble::Trouble};
use crate::{event::SessionEvent, time::LocalTime};

/// How soon the window has to show an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// At once.
    Now,
    /// Within some seconds: only figures have changed that change all the time.
    Soon,
}

/// What an event is about, without the figures that can wait.
#[derive(Debug, PartialEq)]
enum Essence {
    Roster(Roster),
    Machines(Vec<(MachineEntry, Vec<Discriminant<Trouble>>)>),
}

impl State {
    /// Applies an event of the session, which came at `now`, and says how soon the window has to show it.
    pub(super) fn apply_and_weigh(&mut self, event: &SessionEvent, now: LocalTime) -> Urgency {
        let before = self.essence_of(event, now);
        self.apply(event.clone(), now);
        if before.is_some() && before == self.essence_of(event, now) {
            Urgency::Soon
        } else {
            Urgency::Now
        }
    }

    /// The essence of what `event` is about; none if the whole event is essential.
    fn essence_of(&self, event: &SessionEvent, now: LocalTime) -> Option<Essence> {
        match event {
            SessionEvent::Roster(_) => {
                Some(Essence::Roster(Roster { lead_micros: 0, ..self.roster.clone() }))
            }
            SessionEvent::Machines(change)
                if change.left.is_empty()
                    && change.away.is_empty()
                    && change.returned.is_empty() =>
            {
                let room = self.room.as_ref()?;
                let client = |changed: &MachineEntry| {
                    let client = room.client(changed.id)?;
                    let troubles = self.troubles(client, now).iter().map(discriminant).collect();
                    Some((without_figures(client), troubles))
                };
                change.clients.iter().map(client).collect::<Option<_>>().map(Essence::Machines)
            }
            _ => None,
        }
    }
}

/// A client without the figures of its report that change while nothing happens. Its level is none of them.
fn without_figures(client: &MachineEntry) -> MachineEntry {
    let report = client.report.as_ref().map(|report| Report {
        lead_micros: report.lead_micros.map(|_| 0),
        clock_error_micros: report.clock_error_micros.map(|_| 0),
        latency_micros: report.latency_micros.map(|_| 0),
        xruns: 0,
        ..report.clone()
    });
    MachineEntry { report, ..client.clone() }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientId, ClientKind, MachinesChange, Rights};

    use super::*;
    use crate::settings::OutputChoice;

    const NOW: LocalTime = LocalTime::from_nanos(0);

    fn report() -> Report {
        Report {
            lead_micros: Some(24_000),
            clock_error_micros: Some(30),
            latency_micros: Some(10_400),
            output: Some("HDA Intel PCH".to_owned()),
            ..Report::default()
        }
    }

    fn client(id: u32, report: Report) -> MachineEntry {
        MachineEntry {
            id: ClientId(id),
            machine: None,
            name: format!("lab-{id}"),
            kind: ClientKind::Headless,
            client: String::new(),
            rights: Rights::Player,
            seat: None,
            place: None,
            tags: Vec::new(),
            report: Some(report),
            straggler: false,
        }
    }

    fn machines(clients: Vec<MachineEntry>) -> SessionEvent {
        SessionEvent::Machines(MachinesChange { clients, ..MachinesChange::default() })
    }

    /// A state that watches the machine 1.
    fn watching() -> State {
        let mut state =
            State::new("lab".to_owned(), "lab-3".to_owned(), 0.5, OutputChoice::SystemDefault);
        state.apply(SessionEvent::Watching(true), NOW);
        state.apply(machines(vec![client(1, report())]), NOW);
        state
    }

    #[test]
    fn figures_of_an_idle_machine_can_wait() {
        let mut state = watching();
        let changed = Report {
            lead_micros: Some(25_000),
            clock_error_micros: Some(35),
            latency_micros: Some(10_500),
            xruns: 1,
            ..report()
        };
        let event = machines(vec![client(1, changed.clone())]);
        assert_eq!(state.apply_and_weigh(&event, NOW), Urgency::Soon);
        let shown = state.room.as_ref().unwrap().client(ClientId(1)).unwrap();
        assert_eq!(shown.report, Some(changed), "it is applied all the same");
    }

    #[test]
    fn whatever_a_person_waits_for_is_shown_at_once() {
        let changes = [
            ("a machine came", machines(vec![client(2, report())])),
            ("it has trouble", machines(vec![client(1, Report { output: None, ..report() })])),
            (
                "its timing is loose",
                machines(vec![client(1, Report { clock_error_micros: Some(20_000), ..report() })]),
            ),
            ("it sounds", machines(vec![client(1, Report { level_db: Some(-20), ..report() })])),
            ("a sound is ready", machines(vec![client(1, Report { ready: Some(3), ..report() })])),
            (
                "it is named anew",
                machines(vec![MachineEntry { name: "desk".to_owned(), ..client(1, report()) }]),
            ),
            (
                "it left",
                SessionEvent::Machines(MachinesChange {
                    left: vec![ClientId(1)],
                    ..MachinesChange::default()
                }),
            ),
            ("it stopped", SessionEvent::StoppedLocally),
        ];
        for (what, event) in changes {
            assert_eq!(watching().apply_and_weigh(&event, NOW), Urgency::Now, "{what}");
        }
    }

    #[test]
    fn of_the_list_only_the_lead_can_wait() {
        let mut state = watching();
        let list = |total, lead_micros| {
            SessionEvent::Roster(Roster { total, clients: Vec::new(), lead_micros })
        };
        assert_eq!(state.apply_and_weigh(&list(1, 20_000), NOW), Urgency::Now);
        assert_eq!(state.apply_and_weigh(&list(1, 24_000), NOW), Urgency::Soon);
        assert_eq!(state.roster.lead_micros, 24_000);
        assert_eq!(state.apply_and_weigh(&list(2, 24_000), NOW), Urgency::Now);
    }
}
