//! What a program says to a terminal, a pipe or a file. A reader that is slow holds nothing up, and
//! one that goes away ends nothing.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    thread,
    time::Duration,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Most lines that wait to be written: a few for each of a thousand who come at once. One that finds
/// no room is lost.
const MAX_WAITING_LINES: usize = 4096;

/// How long the end of a program waits for the rest to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes `text` to standard output. A reader that has gone away is no error.
pub fn print(text: impl Display) {
    let _ = write!(io::stdout(), "{text}");
}

/// Writes a line to standard error. A reader that has gone away is no error.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes lines from a thread of its own, so that who prints never waits. Dropping it waits for the
/// rest to be written, but at most a second.
#[derive(Debug)]
pub struct Printer {
    lines: Option<SyncSender<String>>,
    done: Receiver<()>,
}

impl Printer {
    /// A printer to `to`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(mut to: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<String>(MAX_WAITING_LINES);
        let (finished, done) = channel();
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            for line in waiting {
                // A line that nobody reads is lost; the next one may be read again.
                let _ = writeln!(to, "{line}").and_then(|()| to.flush());
            }
            // Who dropped the printer may have waited for long enough.
            let _ = finished.send(());
        })?;
        Ok(Self { lines: Some(lines), done })
    }

    /// Has `line` written. Never blocks.
    pub fn print(&self, line: String) {
        if let Some(lines) = &self.lines {
            // Lost if the queue is full, as documented at its capacity.
            let _ = lines.try_send(line);
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// The log of the whole process. Dropping it waits for the rest to be written, but at most a second.
#[derive(Debug)]
pub struct Log {
    writer: Option<WorkerGuard>,
}

/// Writes what `filter` lets through to standard error, from a thread of its own. To be called once.
#[must_use]
pub fn log_to_stderr(filter: &str) -> Log {
    let (log, writer) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_WAITING_LINES)
        .thread_name("log")
        .finish(io::stderr());
    tracing_subscriber::fmt()
        .with_writer(log)
        // Where would it say that it cannot write? A closed stderr must not end the program.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter))
        .init();
    Log { writer: Some(writer) }
}

impl Drop for Log {
    fn drop(&mut self) {
        let writer = self.writer.take();
        let (finished, done) = channel();
        // On a thread that can be left behind: where the log is stuck, this may be too.
        thread::spawn(move || {
            drop(writer);
            let _ = finished.send(());
        });
        let _ = done.recv_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::BufRead as _, time::Instant};

    use super::*;

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up() {
        let (reader, writer) = io::pipe().unwrap();
        let printer = Printer::start(writer).unwrap();
        let begun = Instant::now();
        // Far more than the pipe and the queue hold.
        for _ in 0..4 * MAX_WAITING_LINES {
            printer.print("x".repeat(100));
        }
        drop(printer);
        assert!(begun.elapsed() < 10 * PATIENCE);
        drop(reader);
    }

    #[test]
    fn all_lines_are_written_before_the_printer_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        let printer = Printer::start(writer).unwrap();
        for number in 0..100 {
            printer.print(number.to_string());
        }
        drop(printer);
        let lines: Vec<_> = io::BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_reader_that_goes_away_ends_nothing() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let printer = Printer::start(writer).unwrap();
        printer.print("unread".to_owned());
        printer.print("unread, too".to_owned());
    }
}
