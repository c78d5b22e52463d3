//! Load from other programs while players sound: streams that open and close on the sound server,
//! and busy processors.

use std::{
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{lab::Lab, tools::tool};

/// How long the other program's stream is open, and then closed.
const OPEN: Duration = Duration::from_secs(1);
const CLOSED: Duration = Duration::from_secs(1);

/// When every processor becomes busy, and for how long.
const BUSY_AFTER: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_secs(5);

/// Runs the other programs until it is dropped.
#[derive(Debug)]
pub struct Disturbance {
    /// Dropping a sender wakes its thread.
    stops: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Disturbance {
    /// Opens and closes a stream with a latency of 5 ms on the lab's sink every two seconds, and
    /// keeps every processor busy for five seconds.
    ///
    /// # Errors
    /// If a tool is missing.
    pub fn start(lab: &Lab) -> Result<Self> {
        let pacat = tool("pacat")?;
        let template = lab.command(&pacat);
        let environment: Vec<_> = template
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        let stream = move || {
            let mut command = Command::new(&pacat);
            for (name, value) in &environment {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command.args(["--device=room", "--latency-msec=5", "--raw", "/dev/zero"]);
            command
        };
        let mut disturbance = Self { stops: Vec::new(), threads: Vec::new() };
        disturbance.repeat(Duration::ZERO, OPEN, Some(CLOSED), stream);
        let processors =
            thread::available_parallelism().context("how many processors there are")?;
        for _ in 0..processors.get() {
            disturbance.repeat(BUSY_AFTER, BUSY, None, || {
                let mut command = Command::new("sh");
                command.args(["-c", "while :; do :; done"]);
                command
            });
        }
        Ok(disturbance)
    }

    /// Runs a program for `run`, starting at `after`, and again after each `pause`, if there is
    /// one.
    fn repeat(
        &mut self,
        after: Duration,
        run: Duration,
        pause: Option<Duration>,
        program: impl Fn() -> Command + Send + 'static,
    ) {
        let (stop, stopped) = channel::<()>();
        self.stops.push(stop);
        self.threads.push(thread::spawn(move || {
            let over = |time| stopped.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
            if over(after) {
                return;
            }
            loop {
                let running = Running::start(program());
                let end = over(run);
                drop(running);
                let Some(pause) = pause.filter(|_| !end) else { return };
                if over(pause) {
                    return;
                }
            }
        }));
    }
}

impl Drop for Disturbance {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            // A panic of the thread was printed.
            let _ = thread.join();
        }
    }
}

/// A program that is killed when this is dropped. A program that does not start disturbs nothing,
/// which the caller's figures show.
struct Running(Option<Child>);

impl Running {
    fn start(mut command: Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().inspect_err(|error| eprintln!("a disturbance failed: {error}")).ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // The program may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
