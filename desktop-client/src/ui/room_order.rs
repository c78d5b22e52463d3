//! The order of the machines in the view *Room*. Pure: it draws nothing.

use downbeat_protocol::{ClientId, Report, RosterEntry};

use crate::sync_status::LOOSE_MICROS;

/// The order of the machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RoomOrder {
    /// By seat, then by the time of arrival.
    #[default]
    Seat,
    /// By name.
    Name,
    /// Those in trouble first.
    Trouble,
}

impl RoomOrder {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Seat, Self::Name, Self::Trouble];

    /// Its name.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Seat => "Seat",
            Self::Name => "Name",
            Self::Trouble => "Trouble",
        }
    }

    /// The machines in this order, with what is known of their reports.
    pub(super) fn sort<'a>(
        self,
        clients: &'a [RosterEntry],
        report_of: impl Fn(ClientId) -> Option<&'a Report>,
    ) -> Vec<&'a RosterEntry> {
        let mut sorted: Vec<&RosterEntry> = clients.iter().collect();
        let by_seat = |client: &RosterEntry| (client.seat.unwrap_or(u16::MAX), client.id);
        match self {
            Self::Seat => sorted.sort_by_key(|client| by_seat(client)),
            Self::Name => {
                sorted.sort_by_cached_key(|client| (client.name.to_lowercase(), client.id));
            }
            Self::Trouble => {
                sorted.sort_by_key(|client| {
                    let report = report_of(client.id);
                    (!is_in_trouble(client, report), by_seat(client))
                });
            }
        }
        sorted
    }
}

/// Whether a machine may be heard apart from the others, or not at all.
pub(super) fn is_in_trouble(client: &RosterEntry, report: Option<&Report>) -> bool {
    let Some(report) = report else { return client.straggler };
    client.straggler
        || report.late > 0
        || report.clock_error_micros.is_some_and(|micros| micros > LOOSE_MICROS)
        || (report.latency_micros.is_none() && client.kind.is_player())
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::ClientKind;

    use super::*;

    fn client(id: u32, name: &str, seat: Option<u16>, straggler: bool) -> RosterEntry {
        RosterEntry {
            id: ClientId(id),
            name: name.to_owned(),
            kind: ClientKind::Window,
            plays: true,
            seat,
            tags: Vec::new(),
            straggler,
        }
    }

    #[test]
    fn machines_are_sorted_by_seat_by_name_or_by_trouble() {
        let room = [
            client(1, "viola", None, false),
            client(2, "Cello", Some(2), true),
            client(3, "bass", Some(1), false),
        ];
        let order = |order: RoomOrder| -> Vec<u32> {
            order.sort(&room, |_| None).iter().map(|client| client.id.0).collect()
        };
        assert_eq!(order(RoomOrder::Seat), [3, 2, 1]);
        assert_eq!(order(RoomOrder::Name), [3, 2, 1]);
        assert_eq!(order(RoomOrder::Trouble), [2, 3, 1]);
    }
}
