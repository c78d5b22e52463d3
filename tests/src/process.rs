//! Processes under test. Their output is captured, and they are killed when dropped.
//!
//! Every error about a process contains all that it printed.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Default deadline. Generous, because the machine may be busy: with two processors, a room of twelve players and three
/// browsers beside a build takes more than half a minute to be ready.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Polling interval for the exit of a process: the standard library has no wait with a timeout.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Longest wait for the remaining output of a process that has ended.
const OUTPUT_DRAIN: Duration = Duration::from_secs(1);

/// Standard output and standard error.
const OUTPUTS: usize = 2;

/// Whether transcripts are printed only in errors.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Stops printing the transcript of each process that ends. For benchmarks, which print a table.
pub fn suppress_transcripts() {
    QUIET.store(true, Relaxed);
}

/// The stream on which a process printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a process printed.
#[derive(Clone, Debug)]
pub struct Line {
    /// The stream it was printed on.
    pub from: From,
    /// The text without the newline.
    pub text: String,
}

/// The lines so far, and how many of the two streams have ended.
#[derive(Debug, Default)]
struct Printed {
    lines: Vec<Line>,
    ended: usize,
}

#[derive(Debug, Default)]
struct Output {
    printed: Mutex<Printed>,
    changed: Condvar,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Printed> {
        // A reader that panicked has appended whole lines only.
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A position in the output of a process: waiting from it ignores earlier lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

/// A running process. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

impl Process {
    /// Starts `command`; `name` identifies it in errors.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(name: impl Into<String>, mut command: Command) -> Result<Self> {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started: {command:?}"))?;
        let output = Arc::new(Output::default());
        read_lines(child.stdout.take().context("its stdout is piped")?, From::Stdout, &output);
        read_lines(child.stderr.take().context("its stderr is piped")?, From::Stderr, &output);
        Ok(Self { name, child, output })
    }

    /// Its name in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The current position in its output.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.output.lock().lines.len())
    }

    /// Everything it printed so far, with `out` or `err` before each line.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for line in &self.output.lock().lines {
            let from = if line.from == From::Stdout { "out" } else { "err" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {from}| {}", line.text);
        }
        if text.is_empty() { "  (it printed nothing)\n".to_owned() } else { text }
    }

    /// The lines it printed so far on one stream.
    #[must_use]
    pub fn lines(&self, from: From) -> Vec<String> {
        let printed = self.output.lock();
        printed.lines.iter().filter(|l| l.from == from).map(|l| l.text.clone()).collect()
    }

    /// Waits for a line of stdout that contains `part`.
    ///
    /// # Errors
    /// If none comes within [`PATIENCE`], or the program ends without one.
    pub fn wait_for(&self, part: &str) -> Result<String> {
        self.wait_for_after(Mark::default(), part)
    }

    /// Waits for a line of stdout after `mark` that contains `part`.
    ///
    /// # Errors
    /// If none comes within [`PATIENCE`], or the program ends without one.
    pub fn wait_for_after(&self, mark: Mark, part: &str) -> Result<String> {
        let found = self.wait_for_line(mark, PATIENCE, |from, line| {
            from == From::Stdout && line.contains(part)
        });
        found.with_context(|| format!("waiting for {part:?} on stdout"))
    }

    /// Waits for the first line after `mark` for which `wanted` returns true.
    ///
    /// # Errors
    /// If none comes within `patience`, or the program ends without one.
    pub fn wait_for_line(
        &self,
        mark: Mark,
        patience: Duration,
        wanted: impl Fn(From, &str) -> bool,
    ) -> Result<String> {
        self.wait_until(patience, |lines| {
            let new = lines.iter().skip(mark.0).find(|line| wanted(line.from, &line.text));
            new.map(|line| line.text.clone())
        })
    }

    /// Waits until `wanted` returns a value for the lines printed so far.
    ///
    /// # Errors
    /// If it returns none within `patience`, or the process ends first.
    pub fn wait_until<T>(
        &self,
        patience: Duration,
        wanted: impl Fn(&[Line]) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut printed = self.output.lock();
        loop {
            if let Some(found) = wanted(&printed.lines) {
                return Ok(found);
            }
            let ended = printed.ended == OUTPUTS;
            let left = deadline.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                drop(printed);
                let why = if ended { "ended without it" } else { "did not print it in time" };
                bail!("{} {why}; it printed:\n{}", self.name, self.transcript());
            }
            printed = self
                .output
                .changed
                .wait_timeout(printed, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
    }

    /// Whether it has closed its output streams.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.output.lock().ended == OUTPUTS
    }

    /// Sends SIGKILL, and waits until the process has ended.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("killing {}", self.name))?;
        self.child.wait().with_context(|| format!("waiting for {}", self.name))?;
        Ok(())
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGINT, like ctrl-C.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Suspends it for `time` with SIGSTOP and SIGCONT, like a machine that is busy with other
    /// work.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn suspend_for(&self, time: Duration) -> Result<()> {
        self.signal(Signal::STOP)?;
        std::thread::sleep(time);
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("signalling {}", self.name))
    }

    /// Waits until it has ended by itself and its output is read.
    ///
    /// # Errors
    /// If it has not ended within `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let status = wait_for_exit_within(&mut self.child, patience);
        let status =
            status.with_context(|| format!("{}; it printed:\n{}", self.name, self.transcript()))?;
        self.wait_for_end_of_output();
        Ok(status)
    }

    /// Waits until its output is read. The wait is short: a child that it left running keeps the
    /// streams open.
    fn wait_for_end_of_output(&self) {
        let printed = self.output.lock();
        // A timeout is not an error: the remaining output belongs to another process.
        let _ =
            self.output.changed.wait_timeout_while(printed, OUTPUT_DRAIN, |p| p.ended < OUTPUTS);
    }

    /// Waits until it has ended, and requires this exit code.
    ///
    /// # Errors
    /// If it does not end within [`PATIENCE`], or ends with another code or by a signal.
    pub fn expect_exit(&mut self, code: i32) -> Result<()> {
        let status = self.wait(PATIENCE)?;
        ensure!(
            status.code() == Some(code),
            "{} ended with {status}, not with exit code {code}; it printed:\n{}",
            self.name,
            self.transcript()
        );
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !QUIET.load(Relaxed) {
            // The test harness shows this only if the test fails.
            println!("{} printed:\n{}", self.name, self.transcript());
        }
    }
}

/// Waits until `child` has ended by itself.
///
/// # Errors
/// If it has not ended within [`PATIENCE`].
pub fn wait_for_exit(child: &mut Child) -> Result<ExitStatus> {
    wait_for_exit_within(child, PATIENCE)
}

fn wait_for_exit_within(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().context("polling a process")? {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "a process has not ended within {patience:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Reads `pipe` line by line on a separate thread, so that the process never blocks on a full pipe.
/// The thread ends with the pipe.
fn read_lines(pipe: impl Read + Send + 'static, from: From, output: &Arc<Output>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            output.lock().lines.push(Line { from, text });
            output.changed.notify_all();
        }
        output.lock().ended += 1;
        output.changed.notify_all();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("a shell", command).unwrap()
    }

    #[test]
    fn a_line_is_found_after_a_mark_and_not_before_it() {
        let process = shell("echo one; echo two; echo one more; exec sleep 60");
        process.wait_for("two").unwrap();
        process.wait_for("one more").unwrap();
        let mark = process.mark();
        let patience = Duration::from_millis(1);
        assert!(process.wait_for_line(mark, patience, |_, line| line == "two").is_err());
    }

    #[test]
    fn an_error_contains_all_that_was_printed() {
        let process = shell("echo this; echo that >&2");
        let error = format!("{:#}", process.wait_for("other").unwrap_err());
        assert!(error.contains("ended without it"), "{error}");
        assert!(error.contains("out| this"), "{error}");
        assert!(error.contains("err| that"), "{error}");
    }

    #[test]
    fn exit_codes_and_signals_are_distinguished() {
        shell("exit 3").expect_exit(3).unwrap();
        let mut process = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
        process.wait_for("ready").unwrap();
        process.terminate().unwrap();
        process.expect_exit(5).unwrap();
        let mut process = shell("echo ready; exec sleep 60");
        process.wait_for("ready").unwrap();
        process.terminate().unwrap();
        assert!(process.expect_exit(0).is_err());
    }
}
