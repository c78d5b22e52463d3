//! The output's part of the session: what the device thread says, what is shown of it, and its trim.

use super::Session;
use crate::{
    action::{OutputChoice, Trim},
    audio::{DeviceChoice, DeviceInfo, DeviceToSession},
    event::{Output, SessionEvent},
    time::LocalTime,
};

/// A latency that has changed by so much is shown again.
const LATENCY_NEWS_MICROS: u32 = 500;

/// What the device thread is asked for.
pub(super) fn device_choice(choice: OutputChoice) -> DeviceChoice {
    match choice {
        OutputChoice::SystemDefault => DeviceChoice::Default,
        OutputChoice::Device(id) => DeviceChoice::Named(id),
    }
}

impl Session {
    /// Takes in what has become of the output.
    pub(super) fn device_news(&mut self, news: DeviceToSession, now: LocalTime) {
        match news {
            DeviceToSession::Opened { player, device } => {
                self.bank.set_rate(player.format().rate, &mut self.stage);
                self.stage.set_trim(self.choices.opened(&device), now);
                self.stage.set_output(Some(player), now);
                self.tell_of_sounds();
                self.output = Ok(device);
                self.show_output();
            }
            DeviceToSession::Lost { reason } => {
                self.stage.set_output(None, now);
                self.output = Err(reason);
                self.show_output();
            }
            DeviceToSession::Instead(instead) => {
                self.instead = instead;
                if self.output.is_ok() {
                    self.show_output();
                }
            }
            DeviceToSession::Latency(change) => {
                tracing::info!("{change}");
                self.tell(SessionEvent::OutputLatencyChanged { change });
            }
            DeviceToSession::Devices(devices) => {
                let output =
                    |d: DeviceInfo| Output { id: d.id, name: d.name, is_default: d.is_default };
                self.tell(SessionEvent::Outputs(devices.into_iter().map(output).collect()));
            }
        }
    }

    /// The trim of the open output.
    pub(super) fn trim(&self) -> Trim {
        self.output.as_ref().map_or(Trim::NONE, |device| self.choices.trim(&device.id))
    }

    /// Shows the output, or why there is none.
    pub(super) fn show_output(&mut self) {
        let event = match &self.output {
            Ok(device) => {
                let (id, name) = (device.id.clone(), device.name.clone());
                let instead = self.instead.clone();
                SessionEvent::OutputOpened { id, name, trim: self.trim(), instead }
            }
            Err(reason) => SessionEvent::OutputLost { reason: reason.clone() },
        };
        self.tell(event);
        self.shown_latency_micros = 0;
        self.show_latency();
    }

    /// Shows the output's latency once it is known, and when it has settled elsewhere.
    pub(super) fn show_latency(&mut self) {
        let Some(micros) = self.latency_micros() else { return };
        if self.shown_latency_micros.abs_diff(micros) >= LATENCY_NEWS_MICROS {
            self.shown_latency_micros = micros;
            self.tell(SessionEvent::OutputLatency { micros });
        }
    }

    pub(super) fn latency_micros(&self) -> Option<u32> {
        let latency_nanos = self.stage.stats()?.latency_nanos;
        u32::try_from(latency_nanos / 1000).ok().filter(|micros| *micros > 0)
    }
}
