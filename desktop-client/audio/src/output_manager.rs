//! Keeps an output open: the chosen device while it is available, else a fallback, else none; and
//! reports which.
//!
//! One thread owns the stream. It sleeps until it gets a message, or until it is time to check the
//! stream or to list the devices.

mod finder;
mod message;
mod selection;

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::finder::Finder;
use self::message::{Inbox, Outbox, ToManager, queue};
use self::selection::Selection;
use super::device::{DeviceInfo, OpenOutput, OutputContext, OutputDevice, StreamEvent};
use downbeat_platform::supervise;

pub use self::message::{DeviceChoice, OutputEvent};

/// How often to look for a device while there is none.
const LIST_WHILE_LOST: Duration = Duration::from_secs(1);

/// From a change to the listing: one change on the desktop causes several notifications.
const SETTLE: Duration = Duration::from_millis(50);

/// How often to check that an open stream still plays, and whether a sound server has started while one
/// plays without. Both are cheap.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A stream that renders nothing for this long is dead, whether or not it reports it.
const STALL: Duration = Duration::from_secs(3);

/// How long a device that played nothing is tried before it replaces another.
const TRIAL: Duration = Duration::from_millis(400);

/// The first wait after a device failed; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A device that played this long without a failure starts with [`FIRST_WAIT`] again.
const FORGIVEN: Duration = Duration::from_secs(30);

/// The handle of the output manager. Dropping it closes the device, and waits until that is done.
#[derive(Debug)]
pub struct OutputManager {
    outbox: Outbox,
    thread: Option<JoinHandle<()>>,
}

impl OutputManager {
    /// Starts to keep an output open. `report` is called on the manager's thread, and must not wait for
    /// the manager.
    ///
    /// # Panics
    /// If the system has no thread to give, as [`std::thread::spawn`] does.
    #[must_use]
    pub fn start(
        choice: DeviceChoice,
        context: OutputContext,
        report: impl FnMut(OutputEvent) + Send + 'static,
    ) -> Self {
        let (outbox, inbox) = queue();
        let manager = Manager {
            selection: Selection::new(choice),
            finder: Finder::new(context, outbox.clone()),
            report: Box::new(report),
            outbox: outbox.clone(),
            open: None,
            devices: None,
            opened: 0,
            lost_reason: None,
            fallback_reason: None,
            list_at: Instant::now(),
            not_before: Instant::now(),
            wait: FIRST_WAIT,
        };
        #[allow(clippy::expect_used)] // As documented.
        let thread = supervise::spawn("downbeat-device", move || manager.run(&inbox))
            .expect("a thread for the audio device");
        Self { outbox, thread: Some(thread) }
    }

    /// Plays on another device from now on. Never blocks.
    pub fn choose(&self, choice: DeviceChoice) {
        self.outbox.choose(choice);
    }

    /// Closes the output and opens it again, with all that was learnt of it forgotten. Never blocks.
    pub fn restart(&self) {
        self.outbox.restart();
    }
}

impl Drop for OutputManager {
    fn drop(&mut self) {
        self.outbox.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The state of the manager's thread.
struct Manager {
    selection: Selection,
    finder: Finder,
    report: Box<dyn FnMut(OutputEvent) + Send>,
    outbox: Outbox,
    open: Option<Open>,
    /// The list that was last reported.
    devices: Option<Vec<DeviceInfo>>,
    /// Streams opened so far, which is the number of the latest.
    opened: u64,
    /// The reason that was last reported since an output was open, so that it is reported once.
    lost_reason: Option<String>,
    /// The last reported reason why the device is not the chosen one.
    fallback_reason: Option<String>,
    list_at: Instant,
    /// When a device may be opened again after a failure.
    not_before: Instant,
    wait: Duration,
}

struct Open {
    output: OpenOutput,
    number: u64,
    since: Instant,
    frames: u64,
    /// When `frames` last changed.
    progress: Instant,
    /// Where the sound server moved the stream, until that is handled.
    moved_to: Option<String>,
}

impl Manager {
    fn run(mut self, inbox: &Inbox) {
        while !inbox.is_ending() {
            if let Some(choice) = inbox.take_choice() {
                self.selection = Selection::new(choice);
                self.not_before = Instant::now();
                self.list_by(Instant::now());
            }
            if inbox.take_restart() {
                self.restart();
            }
            let now = Instant::now();
            self.check(now);
            if now >= self.list_at {
                self.list(now);
            }
            let now = Instant::now();
            let check = self.open.as_ref().map(|_| now + CHECK_EVERY);
            let wake = check.map_or(self.list_at, |check| check.min(self.list_at));
            match inbox.receive(wake.saturating_duration_since(now)) {
                Some(ToManager::Stream(number, event)) => self.stream_event(number, event),
                Some(ToManager::DevicesChanged) => self.list_by(Instant::now() + SETTLE),
                Some(ToManager::Wake) | None => {}
            }
        }
    }

    /// Somebody wants the output to begin anew.
    fn restart(&mut self) {
        if let Some(open) = self.open.take() {
            tracing::info!(output = open.output.info.name, "output restarted");
        }
        self.selection.clear_rejection();
        self.wait = FIRST_WAIT;
        self.not_before = Instant::now();
        self.list_by(Instant::now());
    }

    fn stream_event(&mut self, number: u64, event: StreamEvent) {
        match event {
            StreamEvent::Failed(reason) => self.failed(number, &reason),
            StreamEvent::Moved(to) => self.moved(number, to),
            StreamEvent::LatencyAdapted(change) => {
                if self.open.as_ref().is_some_and(|open| open.number == number) {
                    (self.report)(OutputEvent::LatencyAdapted(change));
                }
            }
        }
    }

    /// Lists the devices at this instant, or before.
    fn list_by(&mut self, instant: Instant) {
        self.list_at = self.list_at.min(instant);
    }

    /// Finds a stream that has stopped without an error.
    fn check(&mut self, now: Instant) {
        let Some(open) = &mut self.open else { return };
        let frames = open.output.frames();
        if frames != open.frames {
            open.frames = frames;
            open.progress = now;
        }
        if now.duration_since(open.since) > FORGIVEN && !self.selection.has_any_rejected() {
            self.wait = FIRST_WAIT;
        }
        let number = open.number;
        if self.finder.find_server() {
            tracing::info!("sound server started");
            self.list_at = now;
        }
        if open.output.is_broken() {
            self.failed(number, "the mixer failed; this is a bug in downbeat");
        } else if now.duration_since(open.progress) > STALL {
            self.failed(number, "it stopped playing");
        }
    }

    fn failed(&mut self, number: u64, reason: &str) {
        let Some(open) = self.open.take_if(|open| open.number == number) else { return };
        let DeviceInfo { id, name, .. } = open.output.info.clone();
        drop(open);
        self.back_off();
        let reason = format!("{name} is gone: {reason}");
        self.selection.reject(&id, reason.clone());
        self.lost(reason);
    }

    fn back_off(&mut self) {
        let now = Instant::now();
        self.not_before = now + self.wait;
        self.list_at = self.not_before;
        self.wait = (self.wait * 2).min(MAX_WAIT);
    }

    fn lost(&mut self, reason: String) {
        if self.lost_reason.as_ref() != Some(&reason) {
            tracing::warn!(reason, "no output");
            self.lost_reason = Some(reason.clone());
            (self.report)(OutputEvent::Lost { reason });
        }
    }

    /// The sound server moved the stream. The device that it is on now has another name, extra latency
    /// and clock, and maybe another rate, so a new stream is opened there.
    fn moved(&mut self, number: u64, to: String) {
        let Some(open) = self.open.as_mut().filter(|open| open.number == number) else { return };
        tracing::info!(to, "output moved by the sound server");
        open.moved_to = Some(to);
        self.list_by(Instant::now() + SETTLE);
    }

    /// Lists the devices, and opens the one that should be.
    fn list(&mut self, now: Instant) {
        let outputs = match self.finder.devices() {
            Ok(outputs) => outputs,
            Err(error) => {
                // No device is at fault, and an open stream reports for itself.
                self.selection.clear_rejection();
                self.list_at = now + LIST_WHILE_LOST;
                if self.open.is_none() {
                    self.report_devices(&[]);
                    self.lost(error);
                }
                return;
            }
        };
        let devices = self.infos(&outputs);
        self.report_devices(&devices);
        self.open_best(&outputs, &devices, now);

        let pause = self.open.as_ref().map_or(LIST_WHILE_LOST, |_| self.finder.list_every());
        self.list_at = now + pause;
        if self.not_before > now {
            self.list_at = self.list_at.min(self.not_before);
        }
    }

    /// The devices, including the open one.
    fn infos(&self, outputs: &[OutputDevice]) -> Vec<DeviceInfo> {
        let mut devices: Vec<_> = outputs.iter().map(|output| output.info.clone()).collect();
        if let Some(Open { output: OpenOutput { info, .. }, .. }) = &self.open
            && self.finder.hides(info)
            && devices.iter().all(|device| device.id != info.id)
        {
            devices.push(info.clone());
        }
        devices
    }

    fn report_devices(&mut self, devices: &[DeviceInfo]) {
        if self.devices.as_deref() != Some(devices) {
            self.devices = Some(devices.to_vec());
            (self.report)(OutputEvent::Devices(devices.to_vec()));
        }
    }

    fn report_fallback(&mut self, reason: Option<String>) {
        if self.fallback_reason != reason {
            self.fallback_reason.clone_from(&reason);
            (self.report)(OutputEvent::Fallback(reason));
        }
    }

    fn open_best(&mut self, outputs: &[OutputDevice], devices: &[DeviceInfo], now: Instant) {
        let was_moved = self.open.as_mut().and_then(|open| {
            let to = open.moved_to.take()?;
            self.selection.moved(&open.output.info.id, to, devices);
            Some(())
        });
        let Some(best) = self.selection.best(devices) else {
            self.open = None;
            return self.lost("no output device was found".to_owned());
        };
        let is_open = self.open.as_ref().is_some_and(|open| open.output.info.id == best.id);
        if is_open && was_moved.is_none() {
            return self.report_fallback(self.selection.fallback_reason(best));
        }
        let is_rejected = self.selection.has_rejected(&best.id);
        if is_rejected && self.open.is_none() {
            self.open_fallback(outputs, devices);
        }
        let may_open = now >= self.not_before || (self.open.is_some() && !is_rejected);
        if !may_open {
            return;
        }
        if let Err(reason) = self.change_to(outputs, best) {
            self.back_off();
            self.selection.reject(&best.id, reason.clone());
            if self.open.is_none() && !self.open_fallback(outputs, devices) {
                self.lost(reason);
            }
        }
    }

    /// Opens the fallback for the rejected device. Returns whether it is open.
    fn open_fallback(&mut self, outputs: &[OutputDevice], devices: &[DeviceInfo]) -> bool {
        let fallback = self.selection.fallback(devices);
        fallback.is_some_and(|fallback| self.change_to(outputs, fallback).is_ok())
    }

    /// Opens the device in place of the open one. A device that was rejected is opened beside its
    /// fallback, which plays on until the device does.
    fn change_to(&mut self, outputs: &[OutputDevice], wanted: &DeviceInfo) -> Result<(), String> {
        let output = outputs.iter().find(|output| output.info.id == wanted.id);
        let output = output.ok_or_else(|| format!("{} is not available", wanted.name))?;
        let is_rejected = self.selection.has_rejected(&wanted.id);
        if !is_rejected {
            // Closed first, so that a device that only one stream can open is free.
            self.open = None;
        }
        self.opened += 1;
        let number = self.opened;
        let outbox = self.outbox.clone();
        let report = move |event| outbox.stream_event(number, event);
        let opened = output.open(self.finder.context(), report);
        let (mixer, output) = opened.map_err(|error| error.to_string())?;
        if self.open.is_some() && !is_playing(&output) {
            return Err(format!("{} plays nothing; another program may use it", wanted.name));
        }
        if is_rejected {
            self.selection.clear_rejection();
        }
        let now = Instant::now();
        let device = output.info.clone();
        self.report_fallback(self.selection.fallback_reason(&device));
        self.open =
            Some(Open { output, number, since: now, frames: 0, progress: now, moved_to: None });
        self.lost_reason = None;
        (self.report)(OutputEvent::Opened { mixer, device });
        Ok(())
    }
}

/// Whether a device that was just opened keeps asking for sound after its buffer is full.
fn is_playing(output: &OpenOutput) -> bool {
    thread::sleep(TRIAL / 2);
    let frames = output.frames();
    thread::sleep(TRIAL / 2);
    output.frames() != frames
}
