//! The values that variables give to parameters, over relay time.
//!
//! Each binding of a variable is a line: pieces that begin at an instant and glide to a value. What drives a
//! parameter is combined from its lines, and handed on as segments from breakpoint to breakpoint. Pure: it
//! reads no clock and knows no device.

use std::collections::VecDeque;

use downbeat_protocol::{Binding, DEFAULT_FREQUENCY, Parameter, RelayTime, Variable};

/// Pieces that a line keeps: twenty seconds of a fader that is moved. Beyond it the oldest becomes the value
/// before all others; only a machine that joins a sound older than that notices.
const MAX_PIECES: usize = 1024;

/// Gains at and below this are silence.
const SILENCE_DB: f64 = -60.0;

/// A parameter of what sounds, as it is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driven<'a> {
    /// The factor on the gain of a sound's voices.
    Gain(&'a str),
    /// The factor on the rate of a sound's voices.
    Rate(&'a str),
    /// What is added to the pan of a sound's voices.
    Pan(&'a str),
    /// The frequency of tones whose trigger names none, in Hz, transposed by what drives the rate of this sound.
    Frequency(&'a str),
    /// The factor on the volume of the machine.
    RoomVolume,
}

/// A change of a driven parameter: from `at` on to `to`, over `over_micros`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) at: RelayTime,
    pub(super) to: f64,
    pub(super) over_micros: u64,
}

/// The values of all bindings over time.
#[derive(Debug, Default)]
pub(super) struct Automation {
    lines: Vec<Line>,
}

/// The value of one binding over time, in the unit in which it glides: amplitude, octaves, or pan.
#[derive(Debug)]
struct Line {
    variable: String,
    binding: Binding,
    /// The variable's default.
    default: f64,
    /// The value before the first piece.
    base: f64,
    /// In the order of their instants.
    pieces: VecDeque<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u64,
    to: f64,
    over: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.over)
    }

    /// The value at a time in it, if it begins from `from`.
    fn value(&self, from: f64, time: u64) -> f64 {
        if time >= self.end() {
            return self.to;
        }
        from + (self.to - from) * (time.saturating_sub(self.at) as f64 / self.over as f64)
    }
}

impl Line {
    /// The value at a time; just before it, where `is_before`.
    fn value(&self, time: u64, is_before: bool) -> f64 {
        let (mut from, mut current) = (self.base, None::<&Piece>);
        for piece in &self.pieces {
            if piece.at > time || is_before && piece.at == time {
                break;
            }
            from = current.map_or(from, |current| current.value(from, piece.at));
            current = Some(piece);
        }
        current.map_or(from, |current| current.value(from, time))
    }

    /// Adds a change. What was to begin later is void: this one is newer.
    fn set(&mut self, piece: Piece) {
        while self.pieces.back().is_some_and(|last| last.at >= piece.at) {
            self.pieces.pop_back();
        }
        if self.pieces.len() == MAX_PIECES {
            self.forget_first();
        }
        self.pieces.push_back(piece);
    }

    fn forget_first(&mut self) {
        if let Some(second) = self.pieces.get(1) {
            self.base = self.pieces[0].value(self.base, second.at);
        } else if let Some(only) = self.pieces.front() {
            self.base = only.to;
        }
        self.pieces.pop_front();
    }

    fn drives(&self, driven: Driven<'_>) -> bool {
        let is_of = |sound: &str| self.binding.sound.as_ref().is_none_or(|bound| bound == sound);
        match (self.binding.parameter, driven) {
            (Parameter::GainDb, Driven::Gain(sound))
            | (Parameter::Semitones, Driven::Rate(sound) | Driven::Frequency(sound))
            | (Parameter::Pan, Driven::Pan(sound)) => is_of(sound),
            (Parameter::Frequency, Driven::Frequency(_))
            | (Parameter::VolumeDb, Driven::RoomVolume) => true,
            _ => false,
        }
    }
}

/// A value in the unit in which its parameter glides.
fn unit(parameter: Parameter, value: f64) -> f64 {
    match parameter {
        Parameter::GainDb | Parameter::VolumeDb if value <= SILENCE_DB => 0.0,
        Parameter::GainDb | Parameter::VolumeDb => 10.0_f64.powf(value / 20.0),
        Parameter::Semitones => value / 12.0,
        Parameter::Frequency => value.log2(),
        Parameter::Pan => value,
    }
}

impl Automation {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Adds the bindings of a variable that has this value. Those of a former declaration are dropped.
    pub(super) fn declare(&mut self, variable: &Variable, value: f64) {
        self.remove(&variable.name);
        let default = variable.default_value().as_f64().unwrap_or(value);
        self.lines.extend(variable.bind.iter().map(|binding| Line {
            variable: variable.name.clone(),
            binding: binding.clone(),
            default: unit(binding.parameter, default),
            base: unit(binding.parameter, value),
            pieces: VecDeque::new(),
        }));
    }

    /// Drops the bindings of a variable.
    pub(super) fn remove(&mut self, variable: &str) {
        self.lines.retain(|line| line.variable != variable);
    }

    /// A variable takes a value. Returns whether it drives anything.
    pub(super) fn set(
        &mut self,
        variable: &str,
        value: f64,
        at: RelayTime,
        over_micros: u64,
    ) -> bool {
        let mut drives = false;
        for line in self.lines.iter_mut().filter(|line| line.variable == variable) {
            let to = unit(line.binding.parameter, value);
            line.set(Piece { at: at.as_micros(), to, over: over_micros });
            drives = true;
        }
        drives
    }

    /// Forgets what no longer matters to anything that began at `time` or later.
    pub(super) fn forget_before(&mut self, time: RelayTime) {
        for line in &mut self.lines {
            while line.pieces.get(1).is_some_and(|second| second.at <= time.as_micros()) {
                line.forget_first();
            }
        }
    }

    /// The value of a parameter at an instant.
    pub(super) fn value(&self, driven: Driven<'_>, at: RelayTime) -> f64 {
        self.combined(driven, at.as_micros(), false)
    }

    /// The changes of a parameter that begin from `from` on and before `until`.
    pub(super) fn segments(
        &self,
        driven: Driven<'_>,
        from: RelayTime,
        until: RelayTime,
    ) -> Vec<Segment> {
        let lines = || self.lines.iter().filter(|line| line.drives(driven));
        let pieces = || lines().flat_map(|line| &line.pieces);
        let mut breakpoints: Vec<u64> =
            pieces().flat_map(|piece| [piece.at, piece.end()]).collect();
        // A glide that is under way at `from` goes on from there.
        breakpoints.push(from.as_micros());
        breakpoints.retain(|time| *time >= from.as_micros());
        breakpoints.sort_unstable();
        breakpoints.dedup();
        let mut segments = Vec::new();
        for (place, &time) in breakpoints.iter().enumerate() {
            if time >= until.as_micros() {
                break;
            }
            let at = RelayTime::from_micros(time);
            let value = self.combined(driven, time, false);
            if differ(value, self.combined(driven, time, true)) {
                segments.push(Segment { at, to: value, over_micros: 0 });
            }
            if let Some(&next) = breakpoints.get(place + 1) {
                let to = self.combined(driven, next, true);
                if differ(to, value) {
                    segments.push(Segment { at, to, over_micros: next - time });
                }
            }
        }
        segments
    }

    fn combined(&self, driven: Driven<'_>, time: u64, is_before: bool) -> f64 {
        let lines = || self.lines.iter().filter(|line| line.drives(driven));
        let value = |line: &Line| line.value(time, is_before);
        match driven {
            Driven::Gain(_) | Driven::RoomVolume => lines().map(value).product(),
            Driven::Pan(_) => lines().map(value).sum(),
            Driven::Rate(_) => lines().map(value).sum::<f64>().exp2(),
            Driven::Frequency(_) => {
                // The first frequency counts in Hz, each further one as a factor on it.
                let mut octaves = 0.0;
                let mut is_first = true;
                for line in lines() {
                    octaves += value(line);
                    if line.binding.parameter == Parameter::Frequency {
                        octaves -= if is_first { 0.0 } else { line.default };
                        is_first = false;
                    }
                }
                let base = if is_first { f64::from(DEFAULT_FREQUENCY) } else { 1.0 };
                base * octaves.exp2()
            }
        }
    }
}

fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > 1e-9 * a.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, parameter: &str, range: (f64, f64), sound: Option<&str>) -> Variable {
        let (min, max) = range;
        let declaration = serde_json::json!({
            "name": name, "type": "float", "min": min, "max": max, "default": max.min(min.max(0.0)),
            "bind": [{"parameter": parameter, "sound": sound}],
        });
        serde_json::from_value(declaration).unwrap()
    }

    fn at(millis: u64) -> RelayTime {
        RelayTime::from_micros(millis * 1000)
    }

    fn close(given: f64, expected: f64) {
        assert!((given - expected).abs() < 1e-6, "{given}, not {expected}");
    }

    #[test]
    fn a_glide_goes_in_a_straight_line_of_its_unit() {
        let mut automation = Automation::default();
        automation.declare(&variable("level", "gain_db", (-60.0, 0.0), Some("bell")), 0.0);
        automation.declare(&variable("pitch", "semitones", (-24.0, 24.0), None), 0.0);
        assert!(automation.set("level", -60.0, at(1000), 100_000));
        assert!(automation.set("pitch", 12.0, at(1000), 100_000));
        assert!(!automation.set("unknown", 12.0, at(1000), 100_000));
        close(automation.value(Driven::Gain("bell"), at(999)), 1.0);
        close(automation.value(Driven::Gain("bell"), at(1050)), 0.5);
        close(automation.value(Driven::Gain("bell"), at(1100)), 0.0);
        close(automation.value(Driven::Gain("other"), at(1100)), 1.0);
        close(automation.value(Driven::Rate("other"), at(1050)), 2.0_f64.sqrt());
        close(automation.value(Driven::Rate("other"), at(9999)), 2.0);
    }

    #[test]
    fn a_newer_value_voids_what_was_to_begin_later() {
        let mut automation = Automation::default();
        automation.declare(&variable("pan", "pan", (-1.0, 1.0), None), 0.0);
        automation.set("pan", 1.0, at(5000), 0);
        automation.set("pan", -1.0, at(1000), 0);
        close(automation.value(Driven::Pan("bell"), at(6000)), -1.0);
        // One in the middle of a glide goes on from where that is.
        automation.set("pan", 1.0, at(7000), 1_000_000);
        automation.set("pan", -1.0, at(7500), 1_000_000);
        close(automation.value(Driven::Pan("bell"), at(7500)), 0.0);
        close(automation.value(Driven::Pan("bell"), at(8000)), -0.5);
    }

    #[test]
    fn segments_lead_from_breakpoint_to_breakpoint() {
        let mut automation = Automation::default();
        automation.declare(&variable("a", "semitones", (-24.0, 24.0), None), 0.0);
        automation.declare(&variable("b", "semitones", (-24.0, 24.0), None), 0.0);
        automation.set("a", 12.0, at(1000), 200_000);
        automation.set("b", 12.0, at(1100), 0);
        let segments = automation.segments(Driven::Rate("bell"), at(0), at(10_000));
        let rounded: Vec<_> = segments
            .iter()
            .map(|s| (s.at.as_micros() / 1000, (s.to * 1000.0).round(), s.over_micros / 1000))
            .collect();
        assert_eq!(rounded, [(1000, 1414.0, 100), (1100, 2828.0, 0), (1100, 4000.0, 100)]);
        // What has begun goes on, and what begins later waits.
        let from = automation.segments(Driven::Rate("bell"), at(1050), at(1100));
        assert_eq!(from.len(), 1);
        assert_eq!((from[0].at, from[0].over_micros), (at(1050), 50_000));
        assert!(automation.segments(Driven::Rate("bell"), at(1200), at(9000)).is_empty());
        assert!(automation.segments(Driven::Gain("bell"), at(0), at(9000)).is_empty());
    }

    #[test]
    fn frequencies_combine_and_are_transposed() {
        let mut automation = Automation::default();
        close(automation.value(Driven::Frequency("tone"), at(0)), 440.0);
        let hz = |name: &str| variable(name, "frequency", (100.0, 1000.0), None);
        automation.declare(&hz("f"), 200.0);
        close(automation.value(Driven::Frequency("tone"), at(0)), 200.0);
        // The default of the second is 100 Hz.
        automation.declare(&hz("g"), 150.0);
        close(automation.value(Driven::Frequency("tone"), at(0)), 300.0);
        automation.declare(&variable("pitch", "semitones", (-24.0, 24.0), Some("tone")), 12.0);
        close(automation.value(Driven::Frequency("tone"), at(0)), 600.0);
        automation.remove("f");
        close(automation.value(Driven::Frequency("tone"), at(0)), 300.0);
    }

    #[test]
    fn forgetting_the_past_changes_no_later_value() {
        let mut automation = Automation::default();
        automation.declare(&variable("pitch", "semitones", (-24.0, 24.0), None), 0.0);
        let pitch = |step: u64| (step % 48) as f64 - 24.0;
        for step in 0..5_000 {
            automation.set("pitch", pitch(step), at(step * 20), 15_000);
        }
        assert_eq!(automation.lines[0].pieces.len(), MAX_PIECES);
        let before = automation.value(Driven::Rate("bell"), at(4_990 * 20 + 7));
        automation.forget_before(at(4_990 * 20));
        assert!(automation.lines[0].pieces.len() <= 11);
        close(automation.value(Driven::Rate("bell"), at(4_990 * 20 + 7)), before);
    }
}
