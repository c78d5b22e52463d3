//! `downbeat`: the window, the headless player and the remote.

use std::process::ExitCode;

fn main() -> ExitCode {
    downbeat::cli::main()
}
