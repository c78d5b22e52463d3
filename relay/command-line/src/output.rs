//! What a program says to a terminal, a pipe or a file. A reader that is slow holds nothing up, and
//! one that goes away ends nothing.

use std::{
    fmt::Display,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

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

/// How often a program that ends looks whether there is room to say so.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the thread of a printer is told.
enum Command {
    /// Write this, which ends with the end of a line.
    Write(Vec<u8>),
    End,
}

/// Writes lines from a thread of its own, so that who prints never waits. Dropping it waits for the
/// rest to be written, but at most a second.
#[derive(Debug)]
pub struct Printer {
    commands: SyncSender<Command>,
    done: Receiver<()>,
}

impl Printer {
    /// A printer to `to`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        Self::start_as("output", to)
    }

    /// The same with a name for its thread.
    fn start_as(name: &'static str, mut to: impl Write + Send + 'static) -> io::Result<Self> {
        let (commands, waiting) = sync_channel(MAX_WAITING_LINES);
        let (finished, done) = channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut panics = 0_u32;
            // A panic costs the line that was being written, and is told of in its place.
            while catch_unwind(AssertUnwindSafe(|| write_lines(&waiting, &mut to))).is_err() {
                panics += 1;
                let told =
                    format!("a line of the {name} is lost to a panic, the {panics}. so far\n");
                let _ = catch_unwind(AssertUnwindSafe(|| to.write_all(told.as_bytes())));
            }
            // Who dropped the printer may have waited for long enough.
            let _ = finished.send(());
        })?;
        Ok(Self { commands, done })
    }

    /// Has `line` written. Never blocks.
    pub fn print(&self, mut line: String) {
        line.push('\n');
        // Lost if the queue is full, as documented at its capacity.
        let _ = self.commands.try_send(Command::Write(line.into_bytes()));
    }
}

fn write_lines(waiting: &Receiver<Command>, to: &mut impl Write) {
    while let Ok(Command::Write(line)) = waiting.recv() {
        // A line that nobody reads is lost; the next one may be read again.
        let _ = to.write_all(&line).and_then(|()| to.flush());
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(TrySendError::Full(_)) = self.commands.try_send(Command::End) {
            if Instant::now() > deadline {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Writes what `filter` lets through to standard error, from a thread of its own. To be called once;
/// what is logged after the printer was dropped is lost.
///
/// # Errors
/// If the system gives no thread.
pub fn log_to_stderr(filter: &str) -> io::Result<Printer> {
    let printer = Printer::start_as("log", io::stderr())?;
    let commands = printer.commands.clone();
    tracing_subscriber::fmt()
        .with_writer(move || LogWriter(commands.clone()))
        // Where would it say that it cannot write? A closed stderr must not end the program.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter))
        .init();
    Ok(printer)
}

/// Takes one whole event at a time, as the subscriber writes them.
struct LogWriter(SyncSender<Command>);

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // Lost if the queue is full, as documented at its capacity.
        let _ = self.0.try_send(Command::Write(event.to_vec()));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;

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

    /// Panics once, at its first line.
    struct Faulty(io::PipeWriter, bool);

    impl Write for Faulty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(std::mem::replace(&mut self.1, true), "injected");
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    #[test]
    fn a_panic_of_the_thread_costs_one_line_and_is_told_of() {
        let (reader, writer) = io::pipe().unwrap();
        let printer = Printer::start(Faulty(writer, false)).unwrap();
        for line in ["one", "two"] {
            printer.print(line.to_owned());
        }
        drop(printer);
        let lines: Vec<_> = io::BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["a line of the output is lost to a panic, the 1. so far", "two"]);
    }
}
