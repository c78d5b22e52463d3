//! Which machines are listed, and in which order. Pure: it draws nothing.

use super::machine::Machine;
use crate::state::severity;

/// Which machines are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) enum Filter {
    /// All of them.
    #[default]
    All,
    /// Those in trouble.
    Trouble,
    /// Those that play.
    Players,
    /// Those that are not connected.
    Away,
}

/// A column, by which machines are sorted too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) enum Column {
    Seat,
    Name,
    #[default]
    Status,
    Sounds,
    Sync,
    Latency,
    Last,
    Xruns,
    Level,
    Program,
    Output,
}

/// The order of the machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) struct Order {
    pub(in crate::ui) column: Column,
    /// Against the usual direction of the column, which begins with what is worth a look.
    pub(in crate::ui) is_reversed: bool,
}

/// How many machines each filter finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) struct Counts {
    pub(in crate::ui) all: usize,
    pub(in crate::ui) trouble: usize,
    pub(in crate::ui) players: usize,
    pub(in crate::ui) away: usize,
}

impl Filter {
    pub(in crate::ui) const ALL: [Self; 4] = [Self::All, Self::Trouble, Self::Players, Self::Away];

    /// Its name, with how many it finds.
    pub(in crate::ui) fn text(self, counts: &Counts) -> String {
        match self {
            Self::All => format!("All {}", counts.all),
            Self::Trouble => format!("In trouble {}", counts.trouble),
            Self::Players => format!("Players {}", counts.players),
            Self::Away => format!("Away {}", counts.away),
        }
    }

    fn finds(self, machine: &Machine<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Trouble => !machine.troubles.is_empty(),
            Self::Players => machine.is_player(),
            Self::Away => machine.client.is_none(),
        }
    }
}

impl Counts {
    pub(in crate::ui) fn of(machines: &[Machine<'_>]) -> Self {
        let count = |filter: Filter| machines.iter().filter(|one| filter.finds(one)).count();
        Self {
            all: machines.len(),
            trouble: count(Filter::Trouble),
            players: count(Filter::Players),
            away: count(Filter::Away),
        }
    }
}

impl Column {
    /// The title of the column.
    pub(in crate::ui) fn title(self) -> &'static str {
        match self {
            Self::Seat => "SEAT",
            Self::Name => "MACHINE",
            Self::Status => "STATUS",
            Self::Sounds => "SOUNDS",
            Self::Sync => "SYNC",
            Self::Latency => "LATENCY",
            Self::Last => "LAST",
            Self::Xruns => "XRUNS",
            Self::Level => "LEVEL",
            Self::Program => "PROGRAM",
            Self::Output => "OUTPUT",
        }
    }

    /// The order by this column, in words, with what comes first.
    pub(in crate::ui) fn order(self) -> &'static str {
        match self {
            Self::Seat => "By seat",
            Self::Name => "By name",
            Self::Status => "Worst first",
            Self::Sounds => "Fewest sounds first",
            Self::Sync => "Loosest first",
            Self::Latency => "Highest latency first",
            Self::Last => "Latest first",
            Self::Xruns => "Most missed blocks first",
            Self::Level => "Loudest first",
            Self::Program => "By kind and version",
            Self::Output => "By output",
        }
    }

    /// What a machine has there, so that the least comes first; none comes last.
    fn value(self, machine: &Machine<'_>) -> Option<Value> {
        let largest = |number: Option<u64>| number.map(|number| Value::Number(-(number as i64)));
        let report = machine.report();
        match self {
            // The worst first is an order of its own.
            Self::Status => None,
            Self::Seat => machine.seat.map(|seat| Value::Number(seat.into())),
            Self::Name => Some(Value::Text(natural(machine.name))),
            Self::Sounds => report?.ready.map(|ready| Value::Number(ready.into())),
            Self::Sync => largest(report?.clock_error_micros.map(u64::from)),
            Self::Latency => largest(report?.latency_micros.map(u64::from)),
            Self::Last => largest(report?.lateness_micros.map(u64::from)),
            Self::Xruns => largest(report.map(|report| report.xruns)),
            Self::Level => report?.level_db.map(|level| Value::Number(-i64::from(level))),
            Self::Program => machine.program().map(|program| Value::Text(natural(&program))),
            Self::Output => report?.output.as_deref().map(|output| Value::Text(natural(output))),
        }
    }
}

/// What machines are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

/// A name such that `lab-2` comes before `lab-10`.
fn natural(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 8);
    let mut digits = String::new();
    for letter in name.chars().chain(std::iter::once('\0')) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            let zeros = 12_usize.saturating_sub(digits.len());
            key.extend(std::iter::repeat_n('0', zeros));
            key.push_str(&digits);
            digits.clear();
        }
        key.extend(letter.to_lowercase());
    }
    key
}

/// The words of a search.
pub(in crate::ui) fn words(search: &str) -> Vec<String> {
    search.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// The machines that a filter and a search find, in this order.
pub(in crate::ui) fn list<'a>(
    machines: &[Machine<'a>],
    filter: Filter,
    order: Order,
    search: &str,
) -> Vec<Machine<'a>> {
    let words = words(search);
    let found = machines.iter().filter(|one| filter.finds(one) && one.is_found(&words));
    let mut listed: Vec<Machine<'a>> = found.cloned().collect();
    // Those that are alike stand by seat, then by name.
    let rest = |machine: &Machine<'_>| {
        (machine.seat.unwrap_or(u16::MAX), natural(machine.name), machine.key)
    };
    if order.column == Column::Status {
        listed.sort_by_cached_key(|one| (severity(&one.troubles), one.health(), rest(one)));
        if order.is_reversed {
            listed.reverse();
        }
        return listed;
    }
    let key = |machine: &Machine<'_>| order.column.value(machine);
    listed.sort_by_cached_key(|one| {
        let value = key(one);
        (value.is_none(), value, rest(one))
    });
    if order.is_reversed {
        let known = listed.partition_point(|one| key(one).is_some());
        listed[..known].reverse();
    }
    listed
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{
        AwayEntry, ClientId, ClientKind, MachineEntry, MachineNumber, MachinesChange, Report,
        Rights,
    };

    use super::*;
    use crate::{
        settings::OutputChoice,
        state::{State, WatchedRoom},
        time::LocalTime,
    };

    fn client(id: u32, name: &str, seat: Option<u16>, clock: Option<u32>) -> MachineEntry {
        MachineEntry {
            id: ClientId(id),
            machine: None,
            name: name.to_owned(),
            kind: ClientKind::Headless,
            client: String::new(),
            rights: Rights::Player,
            seat,
            place: None,
            tags: vec![format!("row{id}")],
            report: Some(Report {
                clock_error_micros: clock,
                latency_micros: Some(9_000 + id),
                output: Some("HDMI".to_owned()),
                ..Report::default()
            }),
            straggler: false,
        }
    }

    fn room() -> WatchedRoom {
        let away = |machine, name: &str, seat| AwayEntry {
            machine: MachineNumber(machine),
            name: name.to_owned(),
            seat,
            place: None,
            tags: Vec::new(),
        };
        let change = MachinesChange {
            clients: vec![
                client(1, "lab-10", Some(2), Some(40)),
                client(2, "Lab-2", None, Some(5_000)),
                client(3, "harp", Some(1), None),
                MachineEntry { kind: ClientKind::Remote, ..client(4, "cue", None, None) },
            ],
            away: vec![away(9, "oboe", Some(9)), away(10, "guest", None)],
            ..MachinesChange::default()
        };
        let mut room = WatchedRoom::default();
        room.update(change, LocalTime::default());
        room
    }

    fn listed(filter: Filter, order: Order, search: &str) -> Vec<String> {
        let state = State::new(String::new(), String::new(), 1.0, OutputChoice::SystemDefault);
        let room = room();
        let machines = Machine::all(&state, &room, LocalTime::default());
        let found = list(&machines, filter, order, search);
        found.iter().map(|machine| machine.name.to_owned()).collect()
    }

    fn by(column: Column, is_reversed: bool) -> Vec<String> {
        listed(Filter::All, Order { column, is_reversed }, "")
    }

    #[test]
    fn the_worst_comes_first_and_machines_that_are_away_without_a_seat_last() {
        let worst_first = by(Column::Status, false);
        assert_eq!(worst_first, ["harp", "Lab-2", "oboe", "lab-10", "cue", "guest"]);
        assert_eq!(by(Column::Status, true).last().unwrap(), "harp");
    }

    #[test]
    fn each_column_sorts_and_what_it_does_not_know_comes_last_in_both_directions() {
        let expected = ["cue", "guest", "harp", "Lab-2", "lab-10", "oboe"];
        assert_eq!(by(Column::Name, false), expected, "numbers in names count as numbers");
        assert_eq!(by(Column::Seat, false)[..3], ["harp", "lab-10", "oboe"]);
        assert_eq!(by(Column::Seat, true)[..3], ["oboe", "lab-10", "harp"]);
        assert_eq!(by(Column::Sync, false)[..2], ["Lab-2", "lab-10"]);
        assert_eq!(by(Column::Sync, true)[..2], ["lab-10", "Lab-2"]);
        assert_eq!(by(Column::Latency, false)[..2], ["cue", "harp"]);
        assert_eq!(by(Column::Latency, true)[4..], ["oboe", "guest"]);
    }

    #[test]
    fn filters_and_searches_find_what_they_say() {
        let order = Order { column: Column::Name, is_reversed: false };
        assert_eq!(listed(Filter::Trouble, order, ""), ["harp", "Lab-2", "oboe"]);
        assert_eq!(listed(Filter::Players, order, ""), ["harp", "Lab-2", "lab-10"]);
        assert_eq!(listed(Filter::Away, order, ""), ["guest", "oboe"]);
        assert_eq!(listed(Filter::All, order, "LAB hdmi"), ["Lab-2", "lab-10"]);
        assert_eq!(listed(Filter::All, order, "row3"), ["harp"]);
        assert_eq!(listed(Filter::All, order, "9"), ["oboe"], "a seat");
        assert_eq!(listed(Filter::All, order, "syncing"), ["harp"]);
        let state = State::new(String::new(), String::new(), 1.0, OutputChoice::SystemDefault);
        let room = room();
        let counts = Counts::of(&Machine::all(&state, &room, LocalTime::default()));
        assert_eq!(counts, Counts { all: 6, trouble: 3, players: 3, away: 2 });
    }
}
