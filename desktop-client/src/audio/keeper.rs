//! Keeps an output open: the wanted device while it is there, another meanwhile, none if there is
//! none, and always says which.
//!
//! One named thread owns the stream. It sleeps until it is told something, or until it is time to
//! look whether a device has come or gone, of which no sound system tells.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::device::{DeviceInfo, Host, OpenOutput, Output, OutputContext};
use super::player::Player;

/// How often to look for a device while there is none.
const LOOK_WHILE_LOST: Duration = Duration::from_secs(1);

/// How often to look whether the devices have changed while one is open.
const LOOK_WHILE_OPEN: Duration = Duration::from_secs(3);

/// The same where looking is costly and disturbs the devices.
const LOOK_SELDOM: Duration = Duration::from_mins(1);

/// A stream that renders nothing for this long is dead, whether or not it says so.
const STALL: Duration = Duration::from_secs(3);

/// After a device failed, the first wait before it is tried again; it doubles up to
/// [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A device that played this long without failing is forgiven its former failures.
const FORGIVEN: Duration = Duration::from_secs(30);

/// Which device to play on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Whatever the system plays on, also when that changes.
    #[default]
    Default,
    /// The device that [answers to](DeviceInfo::answers_to) this. While it is missing, the default.
    Named(String),
}

/// From the device thread to the session.
#[derive(Debug)]
pub enum DeviceToSession {
    /// A device is open. The player of the device before, if any, plays nowhere now.
    Opened {
        /// What sounds on it.
        player: Player,
        /// Which device it is; not always the one that was chosen.
        device: DeviceInfo,
    },
    /// There is no sound until the next [`DeviceToSession::Opened`].
    Lost {
        /// Why, in words for people.
        reason: String,
    },
    /// The devices there are, at first and after every change.
    Devices(Vec<DeviceInfo>),
}

/// From the session, or a dying stream, to the device thread.
enum ToDevice {
    Choose(DeviceChoice),
    /// The stream of this number has failed.
    Failed(u64, String),
    Quit,
}

/// The device thread's handle. Dropping it closes the device and waits until that is done.
#[derive(Debug)]
pub struct DeviceKeeper {
    to_device: Sender<ToDevice>,
    thread: Option<JoinHandle<()>>,
}

impl DeviceKeeper {
    /// Starts to keep an output open. `send` is called on the device thread, and must not wait
    /// for it.
    ///
    /// # Panics
    /// If the system has no thread to give, as [`std::thread::spawn`] does.
    #[must_use]
    pub fn start(
        choice: DeviceChoice,
        context: OutputContext,
        send: impl FnMut(DeviceToSession) + Send + 'static,
    ) -> Self {
        let (to_device, receiver) = channel();
        let keeping = Keeping {
            choice,
            context,
            send: Box::new(send),
            to_self: to_device.clone(),
            host: None,
            open: None,
            devices: None,
            opened: 0,
            said: None,
            next_look: Instant::now(),
            not_before: Instant::now(),
            wait: FIRST_WAIT,
        };
        #[allow(clippy::expect_used)] // As documented.
        let thread = thread::Builder::new()
            .name("downbeat-device".into())
            .spawn(move || keeping.run(&receiver))
            .expect("a thread for the audio device");
        Self { to_device, thread: Some(thread) }
    }

    /// Plays on another device from now on.
    pub fn choose(&self, choice: DeviceChoice) {
        // The thread ends only when this handle is dropped.
        let _ = self.to_device.send(ToDevice::Choose(choice));
    }
}

impl Drop for DeviceKeeper {
    fn drop(&mut self) {
        let _ = self.to_device.send(ToDevice::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the device thread knows.
struct Keeping {
    choice: DeviceChoice,
    context: OutputContext,
    send: Box<dyn FnMut(DeviceToSession) + Send>,
    to_self: Sender<ToDevice>,
    host: Option<Host>,
    open: Option<Open>,
    /// The list last sent.
    devices: Option<Vec<DeviceInfo>>,
    /// Streams opened so far: the number of the latest.
    opened: u64,
    /// The reason last sent since the last success, so that it is said once.
    said: Option<String>,
    next_look: Instant,
    /// When a device may be opened again after a failure.
    not_before: Instant,
    wait: Duration,
}

struct Open {
    output: OpenOutput,
    number: u64,
    since: Instant,
    frames: u64,
    progress: Instant,
}

impl Keeping {
    fn run(mut self, receiver: &Receiver<ToDevice>) {
        loop {
            let now = Instant::now();
            self.watch(now);
            if now >= self.next_look {
                self.look(now);
            }
            let sleep = self.next_look.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(sleep) {
                Ok(ToDevice::Choose(choice)) => {
                    self.choice = choice;
                    self.not_before = Instant::now();
                    self.next_look = Instant::now();
                }
                Ok(ToDevice::Failed(number, reason)) => self.failed(number, &reason),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(ToDevice::Quit) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Notices a stream that died without a word.
    fn watch(&mut self, now: Instant) {
        let Some(open) = &mut self.open else { return };
        let frames = open.output.frames();
        if frames != open.frames {
            open.frames = frames;
            open.progress = now;
        }
        if now.duration_since(open.since) > FORGIVEN {
            self.wait = FIRST_WAIT;
        }
        let number = open.number;
        if open.output.is_broken() {
            self.failed(number, "the mixer failed; this is a bug in downbeat");
        } else if now.duration_since(open.progress) > STALL {
            self.failed(number, "it stopped asking for sound");
        }
    }

    fn failed(&mut self, number: u64, reason: &str) {
        let Some(open) = self.open.take_if(|open| open.number == number) else { return };
        let name = open.output.info.name.clone();
        drop(open);
        self.back_off();
        self.lose(format!("{name} is gone: {reason}"));
    }

    fn back_off(&mut self) {
        let now = Instant::now();
        self.not_before = now + self.wait;
        self.next_look = self.not_before;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    fn lose(&mut self, reason: String) {
        if self.said.as_ref() != Some(&reason) {
            tracing::warn!("no sound: {reason}");
            self.said = Some(reason.clone());
            (self.send)(DeviceToSession::Lost { reason });
        }
    }

    /// Looks which devices there are, and opens the one that should be.
    fn look(&mut self, now: Instant) {
        let outputs = match self.outputs() {
            Ok(outputs) => outputs,
            Err(error) => {
                // An open stream will say for itself if it is gone too.
                self.host = None;
                self.next_look = now + LOOK_WHILE_LOST;
                if self.open.is_none() {
                    self.tell_devices(&[]);
                    self.lose(error);
                }
                return;
            }
        };
        self.tell_devices(&outputs);
        self.next_look = now + LOOK_WHILE_LOST;

        let wanted = choose(&outputs, &self.choice);
        match (wanted, self.open.as_ref().map(|open| &open.output.info.id)) {
            (Some(wanted), Some(open)) if wanted.info.id == *open => {}
            (Some(wanted), _) if now >= self.not_before => self.change_to(wanted),
            (Some(_), _) => self.next_look = self.not_before,
            (None, Some(_)) => {
                self.open = None;
                self.lose_all(&outputs);
            }
            (None, None) => self.lose_all(&outputs),
        }
        if self.open.is_some() {
            let slow = self.host.as_ref().is_some_and(Host::is_slow_to_list);
            self.next_look = now + if slow { LOOK_SELDOM } else { LOOK_WHILE_OPEN };
        }
    }

    fn outputs(&mut self) -> Result<Vec<Output>, String> {
        let host = match self.host.take() {
            Some(host) => host,
            None => Host::connect(&self.context).map_err(|error| error.to_string())?,
        };
        self.host.insert(host).outputs().map_err(|error| error.to_string())
    }

    fn tell_devices(&mut self, outputs: &[Output]) {
        let devices: Vec<_> = outputs.iter().map(|output| output.info.clone()).collect();
        if self.devices.as_ref() != Some(&devices) {
            self.devices = Some(devices.clone());
            (self.send)(DeviceToSession::Devices(devices));
        }
    }

    fn lose_all(&mut self, outputs: &[Output]) {
        // The next look may find that a sound server has come up instead. One that is there is kept:
        // to shake hands with it once a second, until it has an output, would gain nothing.
        if outputs.is_empty() {
            self.host.take_if(|host| !host.is_preferred());
        }
        self.lose("no output device was found; it will be used as soon as there is one".into());
    }

    fn change_to(&mut self, wanted: &Output) {
        // First the old one, so that a device that is given to one at a time is free.
        self.open = None;
        self.opened += 1;
        let number = self.opened;
        let to_self = self.to_self.clone();
        let fail = move |reason| {
            let _ = to_self.send(ToDevice::Failed(number, reason));
        };
        match wanted.open(&self.context, fail) {
            Ok((player, output)) => {
                let now = Instant::now();
                let device = output.info.clone();
                self.open = Some(Open { output, number, since: now, frames: 0, progress: now });
                self.said = None;
                (self.send)(DeviceToSession::Opened { player, device });
            }
            Err(error) => {
                self.back_off();
                self.lose(error.to_string());
            }
        }
    }
}

/// The device to play on: the named one, else the default, else any.
fn choose<'a>(outputs: &'a [Output], choice: &DeviceChoice) -> Option<&'a Output> {
    let named = match choice {
        DeviceChoice::Default => None,
        DeviceChoice::Named(name) => outputs.iter().find(|output| output.info.answers_to(name)),
    };
    named.or_else(|| outputs.iter().find(|output| output.info.is_default)).or(outputs.first())
}
