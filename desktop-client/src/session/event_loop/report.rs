//! What the relay is told of how this player does.

use std::time::Duration;

use downbeat_protocol::{ClientToRelay, MAX_MISSING, Report};
use tokio::time::Instant;

use super::{
    super::own_machine::volume_db,
    session::{REPORT_EVERY, Session},
};
use crate::event::SessionEvent;

/// An error bound that has grown by half and by this much, or fallen as far, is reported at once, but
/// not within [`REPORT_PAUSE`] of the last report.
const ERROR_NEWS_MICROS: u32 = 10;
const REPORT_PAUSE: Duration = Duration::from_millis(250);

/// A lead that has grown by so much is reported at once: the next trigger should have it.
const LEAD_NEWS_MICROS: u32 = 2_000;

impl Session {
    fn lead_micros(&self) -> u32 {
        self.relay_clock.lead_micros(self.cues.reach_nanos())
    }

    /// Whether the next trigger should already have a longer lead than the relay knows of.
    pub(super) fn lead_has_grown(&self) -> bool {
        self.cues.stats().is_some()
            && self.relay_clock.estimate().is_some()
            && self.lead_micros() > self.reported_lead_micros + LEAD_NEWS_MICROS
    }

    /// Whether what this machine claims of its synchrony is no longer what the relay knows.
    pub(super) fn error_has_changed(&self, now: Instant) -> bool {
        let paused = self.report_due.duration_since(now) + REPORT_PAUSE < REPORT_EVERY;
        let Some(error) = self.clock_error_micros() else { return false };
        // A bound that has just become known is news.
        let Some(reported) = self.reported_error_micros else { return paused };
        let (less, more) = (error.min(reported), error.max(reported));
        paused && more > less.saturating_add(less / 2).saturating_add(ERROR_NEWS_MICROS)
    }

    /// How far this machine's sounds can be off the instants that the relay gives: the error of the
    /// clock estimate and that of the device clock.
    pub(super) fn clock_error_micros(&self) -> Option<u32> {
        let clock = self.relay_clock.estimate()?.error_micros(self.clock.now());
        // Without an output nothing is played that could be off.
        let Some(stats) = self.cues.stats() else { return Some(clock) };
        Some(clock.saturating_add(stats.clock_error_nanos?.div_ceil(1000)))
    }

    /// Tells the relay how this player does.
    pub(super) fn report(&mut self) {
        let clock_error_micros = self.clock_error_micros();
        let stats = self.cues.stats();
        // A lead is needed only by who can sound, and known only with the clock.
        let lead_micros = clock_error_micros.and(stats.as_ref()).map(|_| self.lead_micros());
        self.reported_lead_micros = lead_micros.unwrap_or(0);
        self.reported_error_micros = clock_error_micros;
        self.reported_output = self.output_name();
        if self.protocol.own_id().is_none() {
            return;
        }
        let tally = self.cues.tally();
        let missing: Vec<_> = self.bank.missing(&self.cues).map(str::to_owned).collect();
        let report = Report {
            lead_micros,
            clock_error_micros,
            latency_micros: self.latency_micros(),
            triggers: tally.triggers,
            late: tally.late,
            lateness_micros: tally.lateness_micros,
            xruns: stats.map_or(0, |stats| stats.xruns),
            bank: Some(self.bank.bank().bank),
            ready: Some((self.bank.bank().sounds.len() - missing.len()) as u32),
            missing: missing.into_iter().take(MAX_MISSING).collect(),
            output: self.reported_output.clone(),
            level_db: level_db(std::mem::take(&mut self.loudest)),
            volume_db: Some(volume_db(self.cues.volume())),
            muted: self.cues.is_muted(),
            extra_latency_micros: self.output.is_ok().then(|| self.extra_latency().micros()),
        };
        self.send(&ClientToRelay::Report(report.clone()));
        self.emit(SessionEvent::Reported(report));
    }
}

/// A level below this is silence.
const MIN_LEVEL: f32 = 1e-5;

/// A linear level in dB below full scale; none in silence.
fn level_db(level: f32) -> Option<i32> {
    (level > MIN_LEVEL).then(|| (20.0 * level.log10()).round() as i32)
}
