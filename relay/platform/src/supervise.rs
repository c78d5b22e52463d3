//! Threads that a program cannot go on without: if one panics, the process ends.
//!
//! A service manager restarts a process that ends, and a person notices it. Nobody notices a player whose session
//! has stopped. Nothing here restarts a thread.

use std::{
    io::{self, Write as _},
    process, thread,
};

/// The exit code after a panic.
const PANICKED: i32 = 1;

/// Starts a thread that the program needs. If it panics, the process prints its name and ends with code 1.
///
/// # Errors
/// If the system gives no thread.
pub fn spawn(
    part: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(part.to_owned()).spawn(move || {
        let _guard = Guard { part };
        run();
    })
}

/// Ends the process if it is dropped by a panic.
struct Guard {
    part: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            // The panic itself has been printed.
            let part = self.part;
            let _ = writeln!(
                io::stderr(),
                "The thread {part} has panicked. The program ends: start it again, and report the panic above."
            );
            process::exit(PANICKED);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{env, process::Command, time::Duration};

    use super::*;

    /// Set in the process that is to die.
    const DIES: &str = "DOWNBEAT_TEST_DIES";

    #[test]
    fn a_panic_ends_the_process() {
        if env::var_os(DIES).is_some() {
            spawn("downbeat-part", || panic!("a fault")).unwrap();
            thread::sleep(Duration::from_mins(1));
            return;
        }
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "supervise::tests::a_panic_ends_the_process", "--nocapture"]);
        let output = again.env(DIES, "1").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(PANICKED), "{stderr}");
        for line in ["a fault", "The thread downbeat-part has panicked."] {
            assert!(stderr.contains(line), "{stderr}");
        }
    }
}
