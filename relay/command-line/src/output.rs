//! Prints to a terminal, a pipe or a file. A slow reader blocks nothing, and one that goes away ends nothing.

use std::{
    fmt::Display,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use tracing_subscriber::EnvFilter;

/// Most lines that wait to be written: a few for each of a thousand clients that connect at once. Lines
/// beyond it are lost.
const MAX_WAITING_LINES: usize = 4096;

/// How long a program that ends waits for the rest to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes `text` to standard output. A closed pipe is no error.
pub fn print(text: impl Display) {
    let _ = write!(io::stdout(), "{text}");
}

/// Writes a line to standard error. A closed pipe is no error.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// How often a program that ends checks for space in the queue.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A command to the thread of a printer.
enum Command {
    /// Write this line, with its line feed.
    Write(Vec<u8>),
    End,
}

/// Writes lines from a thread of its own, so that printing never blocks. Dropping it waits for the rest to be
/// written, for at most a second.
#[derive(Debug)]
pub struct Printer {
    commands: SyncSender<Command>,
    done: Receiver<()>,
}

impl Printer {
    /// Starts a printer that writes to `to`.
    ///
    /// # Errors
    /// If the system does not start a thread.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        Self::start_as("output", to)
    }

    /// The same with a name for the thread.
    fn start_as(name: &'static str, mut to: impl Write + Send + 'static) -> io::Result<Self> {
        let (commands, waiting) = sync_channel(MAX_WAITING_LINES);
        let (finished, done) = sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut panics = 0_u32;
            // A panic loses the line that was being written; a message takes its place.
            while catch_unwind(AssertUnwindSafe(|| write_lines(&waiting, &mut to))).is_err() {
                panics += 1;
                let message =
                    format!("a line of the {name} was lost to a panic (panics so far: {panics})\n");
                let _ = catch_unwind(AssertUnwindSafe(|| to.write_all(message.as_bytes())));
            }
            // An error means that the drop has timed out.
            let _ = finished.send(());
        })?;
        Ok(Self { commands, done })
    }

    /// Queues `line`. Never blocks.
    pub fn print(&self, mut line: String) {
        line.push('\n');
        // Lost if the queue is full, as documented at its capacity.
        let _ = self.commands.try_send(Command::Write(line.into_bytes()));
    }
}

fn write_lines(waiting: &Receiver<Command>, to: &mut impl Write) {
    while let Ok(Command::Write(line)) = waiting.recv() {
        // If nobody reads, the line is lost; the next one may be read again.
        let _ = to.write_all(&line).and_then(|()| to.flush());
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        while let Err(TrySendError::Full(_)) = self.commands.try_send(Command::End) {
            if Instant::now() > deadline {
                return;
            }
            thread::sleep(POLL_INTERVAL);
        }
        let _ = self.done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Logs what `filter` selects to standard error, from a thread of its own. To be called once; what is logged
/// after the printer is dropped is lost.
///
/// # Errors
/// If the system does not start a thread.
pub fn log_to_stderr(filter: &str) -> io::Result<Printer> {
    let printer = Printer::start_as("log", io::stderr())?;
    let commands = printer.commands.clone();
    tracing_subscriber::fmt()
        .with_writer(move || LogWriter(commands.clone()))
        // A closed stderr must not end the program, and there is nowhere to report it.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter))
        .init();
    Ok(printer)
}

/// Receives one complete event per write from the subscriber.
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
    fn a_reader_that_does_not_read_blocks_nobody() {
        let (reader, writer) = io::pipe().unwrap();
        let printer = Printer::start(writer).unwrap();
        let begun = Instant::now();
        // Far more than the pipe and the queue hold.
        for _ in 0..4 * MAX_WAITING_LINES {
            printer.print("x".repeat(100));
        }
        drop(printer);
        assert!(begun.elapsed() < 10 * FLUSH_TIMEOUT);
        drop(reader);
    }

    #[test]
    fn dropping_the_printer_waits_for_all_lines() {
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
    fn a_closed_pipe_is_no_error() {
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
    fn a_panic_in_the_thread_loses_one_line_and_is_reported() {
        let (reader, writer) = io::pipe().unwrap();
        let printer = Printer::start(Faulty(writer, false)).unwrap();
        for line in ["one", "two"] {
            printer.print(line.to_owned());
        }
        drop(printer);
        let lines: Vec<_> = io::BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["a line of the output was lost to a panic (panics so far: 1)", "two"]);
    }
}
