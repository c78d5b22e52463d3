//! The session's output: its events, what the observer is shown of it, and its extra latency.

use downbeat_audio::{DeviceInfo, OutputEvent};
use tokio::time::Instant;

use super::session::Session;
use crate::{
    event::{OutputInfo, SessionEvent},
    settings::ExtraLatency,
    time::LocalTime,
};

/// A latency is shown again when it has changed by this much.
const LATENCY_CHANGE_MICROS: u32 = 500;

impl Session {
    /// Handles an event of the output manager.
    pub(super) fn output_event(&mut self, event: OutputEvent, now: LocalTime) {
        match event {
            OutputEvent::Opened { mixer, device } => {
                self.bank.set_rate(mixer.format().rate, &mut self.cues);
                let extra_latency =
                    self.settings.output_opened(&device.id, |name| device.answers_to(name));
                self.cues.set_extra_latency(extra_latency, now);
                self.cues.set_output(Some(mixer), now);
                self.emit_bank_events();
                self.output = Ok(device);
                self.show_output();
                self.take_assigned_latency();
            }
            OutputEvent::Lost { reason } => {
                self.cues.set_output(None, now);
                self.output = Err(reason);
                self.show_output();
            }
            OutputEvent::Fallback(reason) => {
                self.fallback_reason = reason;
                if self.output.is_ok() {
                    self.show_output();
                }
            }
            OutputEvent::LatencyAdapted(change) => {
                tracing::info!("{change}");
                self.emit(SessionEvent::OutputLatencyAdapted { change });
            }
            OutputEvent::Devices(devices) => {
                let info =
                    |d: DeviceInfo| OutputInfo { id: d.id, name: d.name, is_default: d.is_default };
                self.emit(SessionEvent::Outputs(devices.into_iter().map(info).collect()));
            }
        }
    }

    /// Another output has its own extra latency, which the relay may keep.
    fn take_assigned_latency(&mut self) {
        if let Some(name) = self.output_name()
            && let Some(micros) = self.own_machine.output_opened(&name)
        {
            self.set_extra_latency(micros, Instant::now());
        }
    }

    /// Shows the output, or why there is none.
    pub(super) fn show_output(&mut self) {
        let event = match &self.output {
            Ok(DeviceInfo { id, name, .. }) => SessionEvent::OutputOpened {
                id: id.clone(),
                name: name.clone(),
                extra_latency: self.extra_latency(),
                fallback_reason: self.fallback_reason.clone(),
            },
            Err(reason) => SessionEvent::OutputLost { reason: reason.clone() },
        };
        self.emit(event);
        self.shown_latency_micros = 0;
        self.show_latency();
    }

    /// The extra latency of the open output.
    pub(super) fn extra_latency(&self) -> ExtraLatency {
        let device = self.output.as_ref();
        device.map_or(ExtraLatency::NONE, |device| self.settings.extra_latency(&device.id))
    }

    /// Shows the output's latency once it is known, and when it has changed.
    pub(super) fn show_latency(&mut self) {
        let Some(micros) = self.latency_micros() else { return };
        if self.shown_latency_micros.abs_diff(micros) >= LATENCY_CHANGE_MICROS {
            self.shown_latency_micros = micros;
            self.emit(SessionEvent::OutputLatency { micros });
        }
    }

    pub(super) fn latency_micros(&self) -> Option<u32> {
        let latency_nanos = self.cues.stats()?.latency_nanos;
        u32::try_from(latency_nanos / 1000).ok().filter(|micros| *micros > 0)
    }
}
