//! What was assigned to a machine: how a request changes it, and what its clients are told.
//!
//! Pure.

use std::collections::BTreeSet;

use downbeat_protocol::{AssignRequest, MachineRecord, OutputLatency, Rights};

use crate::store::Assigned;

/// Most outputs of a machine whose extra latency is kept. Beyond that, the one that was assigned first is
/// forgotten.
const MAX_OUTPUTS: usize = 16;

impl Assigned {
    /// This, changed by a request. `outputs` are those that the machine's clients use: the extra latency of
    /// each is changed.
    pub(in crate::room) fn changed(&self, request: &AssignRequest, outputs: &[String]) -> Self {
        let mut changed = self.clone();
        if let Some(name) = &request.name {
            changed.name = Some(name.clone());
        }
        if let Some(seat) = request.seat {
            changed.seat = (seat > 0).then_some(seat);
        }
        if let Some(tags) = &request.tags {
            let mut known = BTreeSet::new();
            changed.tags = tags.iter().filter(|tag| known.insert(*tag)).cloned().collect();
        }
        changed.place = request.place.or(changed.place);
        changed.volume_db = request.volume_db.or(changed.volume_db);
        changed.muted = request.muted.or(changed.muted);
        changed.rights = request.rights.or(changed.rights);
        if let Some(micros) = request.extra_latency_micros {
            for output in outputs {
                changed.set_extra_latency(output, micros);
            }
        }
        changed
    }

    fn set_extra_latency(&mut self, output: &str, micros: i32) {
        self.extra_latency.retain(|other| other.output != output);
        if self.extra_latency.len() >= MAX_OUTPUTS {
            self.extra_latency.remove(0);
        }
        self.extra_latency.push(OutputLatency { output: output.to_owned(), micros });
    }

    /// What a client of the machine is told, which has these rights.
    pub(in crate::room) fn record(&self, rights: Rights) -> MachineRecord {
        MachineRecord {
            rights,
            name: self.name.clone(),
            volume_db: self.volume_db,
            muted: self.muted,
            extra_latency: self.extra_latency.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::Place;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn absent_fields_stay_and_seat_0_is_none() {
        let all = AssignRequest {
            name: Some("harp".into()),
            seat: Some(3),
            place: Some(Place { x: 0.25, y: 0.5 }),
            tags: Some(names(&["left", "brass", "left"])),
            volume_db: Some(-6.0),
            muted: Some(true),
            extra_latency_micros: Some(12_000),
            rights: Some(Rights::Listener),
            ..AssignRequest::default()
        };
        let assigned = Assigned::default().changed(&all, &names(&["hdmi"]));
        assert_eq!(assigned.tags, ["left", "brass"]);
        assert_eq!(assigned.changed(&AssignRequest::default(), &names(&["hdmi"])), assigned);
        let none = AssignRequest { seat: Some(0), ..AssignRequest::default() };
        assert_eq!(assigned.changed(&none, &[]), Assigned { seat: None, ..assigned.clone() });
        let record = assigned.record(Rights::Listener);
        assert_eq!(record.extra_latency, [OutputLatency { output: "hdmi".into(), micros: 12_000 }]);
        assert_eq!((record.volume_db, record.muted), (Some(-6.0), Some(true)));
    }

    #[test]
    fn extra_latency_is_kept_for_the_sixteen_outputs_that_were_assigned_last() {
        let mut assigned = Assigned::default();
        let assign = |assigned: &Assigned, output: String, micros| {
            let extra_latency_micros = Some(micros);
            let request = AssignRequest { extra_latency_micros, ..AssignRequest::default() };
            assigned.changed(&request, &[output])
        };
        for number in 0..MAX_OUTPUTS as i32 {
            assigned = assign(&assigned, format!("output {number}"), number);
        }
        assigned = assign(&assigned, "output 0".into(), -5);
        assigned = assign(&assigned, "another".into(), 7);
        assert_eq!(assigned.extra_latency.len(), MAX_OUTPUTS);
        let micros: Vec<_> = assigned.extra_latency.iter().map(|latency| latency.micros).collect();
        assert_eq!(micros[..2], [2, 3], "output 1 was assigned first");
        assert_eq!(micros[14..], [-5, 7]);
    }
}
