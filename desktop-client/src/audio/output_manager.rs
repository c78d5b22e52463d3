//! Keeps an output open: the wanted device while it is there, another meanwhile, none if there is
//! none, and always says which.
//!
//! One named thread owns the stream. It sleeps until it is told something, or until it is time to
//! look whether a device has come or gone, where the sound system does not tell of that.

mod finder;
mod wish;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::device::{DeviceInfo, OpenOutput, Output, OutputContext, StreamNews};
use super::player::Player;
use finder::Finder;
use wish::Wish;

/// How often to look for a device while there is none.
const LOOK_WHILE_LOST: Duration = Duration::from_secs(1);

/// How long after a change to look: one change of the desktop's is told of in several messages.
const SETTLE: Duration = Duration::from_millis(50);

/// How often to look whether an open stream still plays, and whether a sound server has come up while
/// one plays without. Neither costs anything.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// A stream that renders nothing for this long is dead, whether or not it says so.
const STALL: Duration = Duration::from_secs(3);

/// For how long a device that played nothing is listened to before it takes the place of another.
const TRIAL: Duration = Duration::from_millis(400);

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
    /// Why the device is not the chosen one, in words for people; none once it is. Comes before the
    /// [`DeviceToSession::Opened`] that it is about, if that is not open yet.
    Instead(Option<String>),
    /// The open device has another latency from now on; which and why, in words for people.
    Latency(String),
    /// The devices there are, at first and after every change.
    Devices(Vec<DeviceInfo>),
}

/// From the session, or a dying stream, to the device thread.
enum ToDevice {
    Choose(DeviceChoice),
    /// What the stream of this number says.
    Stream(u64, StreamNews),
    /// The devices have changed. At most one waits.
    Changed,
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
            wish: Wish::new(choice),
            finder: Finder::new(context, to_device.clone()),
            send: Box::new(send),
            to_self: to_device.clone(),
            open: None,
            devices: None,
            opened: 0,
            said: None,
            instead: None,
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
    wish: Wish,
    finder: Finder,
    send: Box<dyn FnMut(DeviceToSession) + Send>,
    to_self: Sender<ToDevice>,
    open: Option<Open>,
    /// The list last sent.
    devices: Option<Vec<DeviceInfo>>,
    /// Streams opened so far: the number of the latest.
    opened: u64,
    /// The reason last sent since the last success, so that it is said once.
    said: Option<String>,
    /// What was sent last of why the device is not the chosen one.
    instead: Option<String>,
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
    /// Where the sound server moved it, until that is looked after.
    moved_to: Option<String>,
}

impl Keeping {
    fn run(mut self, receiver: &Receiver<ToDevice>) {
        loop {
            let now = Instant::now();
            self.watch(now);
            if now >= self.next_look {
                self.look(now);
            }
            let now = Instant::now();
            let watch = self.open.as_ref().map(|_| now + WATCH_EVERY);
            let wake = watch.map_or(self.next_look, |watch| watch.min(self.next_look));
            match receiver.recv_timeout(wake.saturating_duration_since(now)) {
                Ok(ToDevice::Choose(choice)) => {
                    self.wish = Wish::new(choice);
                    self.not_before = Instant::now();
                    self.look_at(Instant::now());
                }
                Ok(ToDevice::Stream(number, StreamNews::Failed(reason))) => {
                    self.failed(number, &reason);
                }
                Ok(ToDevice::Stream(number, StreamNews::Moved(to))) => self.moved(number, to),
                Ok(ToDevice::Stream(number, StreamNews::Latency(change))) => {
                    if self.open.as_ref().is_some_and(|open| open.number == number) {
                        (self.send)(DeviceToSession::Latency(change));
                    }
                }
                Ok(ToDevice::Changed) => {
                    self.finder.change_heard();
                    self.look_at(Instant::now() + SETTLE);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(ToDevice::Quit) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at this instant, or before.
    fn look_at(&mut self, instant: Instant) {
        self.next_look = self.next_look.min(instant);
    }

    /// Notices a stream that died without a word.
    fn watch(&mut self, now: Instant) {
        let Some(open) = &mut self.open else { return };
        let frames = open.output.frames();
        if frames != open.frames {
            open.frames = frames;
            open.progress = now;
        }
        if now.duration_since(open.since) > FORGIVEN && !self.wish.has_any_refused() {
            self.wait = FIRST_WAIT;
        }
        let number = open.number;
        if self.finder.find_server() {
            tracing::info!("a sound server has come up");
            self.next_look = now;
        }
        if open.output.is_broken() {
            self.failed(number, "the mixer failed; this is a bug in downbeat");
        } else if now.duration_since(open.progress) > STALL {
            self.failed(number, "it stopped asking for sound");
        }
    }

    fn failed(&mut self, number: u64, reason: &str) {
        let Some(open) = self.open.take_if(|open| open.number == number) else { return };
        let DeviceInfo { id, name, .. } = open.output.info.clone();
        drop(open);
        self.back_off();
        let reason = format!("{name} is gone: {reason}");
        self.wish.refuse(&id, reason.clone());
        self.lose(reason);
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

    /// The sound server moved the stream. The device it is on now has another name, extra latency
    /// and clock, and maybe another rate: it is opened anew there.
    fn moved(&mut self, number: u64, to: String) {
        let Some(open) = self.open.as_mut().filter(|open| open.number == number) else { return };
        tracing::info!(to, "the sound server moved the output");
        open.moved_to = Some(to);
        self.look_at(Instant::now() + SETTLE);
    }

    /// Looks which devices there are, and opens the one that should be.
    fn look(&mut self, now: Instant) {
        let outputs = match self.finder.outputs() {
            Ok(outputs) => outputs,
            Err(error) => {
                // An open stream will say for itself if it is gone too. No device is at fault.
                self.wish.forget_refusal();
                self.next_look = now + LOOK_WHILE_LOST;
                if self.open.is_none() {
                    self.tell_devices(&[]);
                    self.lose(error);
                }
                return;
            }
        };
        let devices = self.infos(&outputs);
        self.tell_devices(&devices);
        self.open_best(&outputs, &devices, now);

        let pause = self.open.as_ref().map_or(LOOK_WHILE_LOST, |_| self.finder.list_every());
        self.next_look = now + pause;
        if self.not_before > now {
            self.next_look = self.next_look.min(self.not_before);
        }
    }

    /// The devices there are, the open one among them.
    fn infos(&self, outputs: &[Output]) -> Vec<DeviceInfo> {
        let mut devices: Vec<_> = outputs.iter().map(|output| output.info.clone()).collect();
        if let Some(Open { output: OpenOutput { info, .. }, .. }) = &self.open
            && self.finder.hides(info)
            && devices.iter().all(|device| device.id != info.id)
        {
            devices.push(info.clone());
        }
        devices
    }

    fn tell_devices(&mut self, devices: &[DeviceInfo]) {
        if self.devices.as_deref() != Some(devices) {
            self.devices = Some(devices.to_vec());
            (self.send)(DeviceToSession::Devices(devices.to_vec()));
        }
    }

    fn tell_instead(&mut self, instead: Option<String>) {
        if self.instead != instead {
            self.instead.clone_from(&instead);
            (self.send)(DeviceToSession::Instead(instead));
        }
    }

    fn open_best(&mut self, outputs: &[Output], devices: &[DeviceInfo], now: Instant) {
        let was_moved = self.open.as_mut().and_then(|open| {
            let to = open.moved_to.take()?;
            self.wish.moved(&open.output.info.id, to, devices);
            Some(())
        });
        let Some(best) = self.wish.best(devices) else {
            self.open = None;
            let reason = "no output device was found; it will be used as soon as there is one";
            return self.lose(reason.to_owned());
        };
        let is_open = self.open.as_ref().is_some_and(|open| open.output.info.id == best.id);
        if is_open && was_moved.is_none() {
            return self.tell_instead(self.wish.why_instead(best));
        }
        let is_refused = self.wish.has_refused(&best.id);
        if is_refused && self.open.is_none() {
            self.open_second_best(outputs, devices);
        }
        let may_open = now >= self.not_before || (self.open.is_some() && !is_refused);
        if !may_open {
            return;
        }
        if let Err(reason) = self.change_to(outputs, best) {
            self.back_off();
            self.wish.refuse(&best.id, reason.clone());
            if self.open.is_none() && !self.open_second_best(outputs, devices) {
                self.lose(reason);
            }
        }
    }

    /// Opens the device that does for the refused one. Returns whether it is open.
    fn open_second_best(&mut self, outputs: &[Output], devices: &[DeviceInfo]) -> bool {
        let second = self.wish.second_best(devices);
        second.is_some_and(|second| self.change_to(outputs, second).is_ok())
    }

    /// Opens the device in place of the one that is open. What does for one that played nothing
    /// sounds until that one plays.
    fn change_to(&mut self, outputs: &[Output], wanted: &DeviceInfo) -> Result<(), String> {
        let output = outputs.iter().find(|output| output.info.id == wanted.id);
        let output = output.ok_or_else(|| format!("{} is not there", wanted.name))?;
        let is_refused = self.wish.has_refused(&wanted.id);
        if !is_refused {
            // First the old one, so that a device that is given to one at a time is free.
            self.open = None;
        }
        self.opened += 1;
        let number = self.opened;
        let to_self = self.to_self.clone();
        let tell = move |news| {
            let _ = to_self.send(ToDevice::Stream(number, news));
        };
        let opened = output.open(self.finder.context(), tell);
        let (player, output) = opened.map_err(|error| error.to_string())?;
        if self.open.is_some() && !plays(&output) {
            return Err(format!("{} plays nothing; another program may have it", wanted.name));
        }
        if is_refused {
            self.wish.forget_refusal();
        }
        let now = Instant::now();
        let device = output.info.clone();
        self.tell_instead(self.wish.why_instead(&device));
        self.open =
            Some(Open { output, number, since: now, frames: 0, progress: now, moved_to: None });
        self.said = None;
        (self.send)(DeviceToSession::Opened { player, device });
        Ok(())
    }
}

/// Whether a device that was just opened goes on to ask for sound, after its buffer is full.
fn plays(output: &OpenOutput) -> bool {
    thread::sleep(TRIAL / 2);
    let frames = output.frames();
    thread::sleep(TRIAL / 2);
    output.frames() != frames
}
