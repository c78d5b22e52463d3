//! Locates the programs that the tests use, and names the packages of missing ones.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::PATIENCE;

/// The Debian package of each program.
const PACKAGES: &[(&str, &str)] = &[
    ("Xvfb", "xvfb"),
    ("chromedriver", "chromium-driver"),
    ("chromium", "chromium"),
    ("dbus-daemon", "dbus-daemon"),
    ("import", "imagemagick"),
    ("ip", "iproute2"),
    ("node", "nodejs"),
    ("pacat", "pulseaudio-utils"),
    ("pactl", "pulseaudio-utils"),
    ("parec", "pulseaudio-utils"),
    ("pipewire", "pipewire"),
    ("pipewire-pulse", "pipewire-pulse"),
    ("pulseaudio", "pulseaudio"),
    ("python3", "python3"),
    ("wireplumber", "wireplumber"),
    ("xdotool", "xdotool"),
];

/// The path of a program of the system.
///
/// # Errors
/// If it is not installed; the error names its Debian package.
pub fn tool(name: &str) -> Result<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|p| p.is_file());
    found.with_context(|| {
        let package = PACKAGES.iter().find(|(program, _)| *program == name).map(|(_, p)| *p);
        match package {
            Some(package) => format!("{name} is not installed: apt-get install {package}"),
            None => format!("{name} is not installed"),
        }
    })
}

/// The path of one of Downbeat's binaries, beside the running executable.
///
/// # Errors
/// If it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("locating the running executable")?;
    // Tests are in `target/<profile>/deps`, benchmarks and binaries in `target/<profile>`.
    let folders = this.ancestors().skip(1).take(2);
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    folders.map(|folder| folder.join(&file)).find(|path| path.is_file()).with_context(|| {
        format!("{name} is not built: run `cargo build --workspace` first, as `make test` does")
    })
}

/// The folder of this package in the source tree.
#[must_use]
pub fn package_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the source tree.
///
/// # Panics
/// Never: the package is a folder of the workspace.
#[must_use]
#[allow(clippy::expect_used)]
pub fn workspace_folder() -> &'static Path {
    package_folder().parent().expect("the package is a folder of the workspace")
}

/// Runs `command` to its end and returns what it printed on stdout, without the last newline.
///
/// # Errors
/// If it cannot be started, or ends with anything but success; the error holds its stderr.
pub fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{command:?}: {}\n{stdout}{stderr}", output.status);
    }
    Ok(stdout.trim_end().to_owned())
}

/// Runs `command` to its end and returns its output and exit status.
///
/// # Errors
/// If it cannot be started, or does not end within [`PATIENCE`]; it is then killed.
pub fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
    let pid = Pid::from_child(&child);
    let (ended, output) = mpsc::channel();
    // This fails if the receiver has timed out.
    thread::spawn(move || drop(ended.send(child.wait_with_output())));
    let Ok(output) = output.recv_timeout(PATIENCE) else {
        // This fails only if the process has just ended.
        let _ = kill_process(pid, Signal::KILL);
        bail!("{command:?} has not ended within {PATIENCE:?}");
    };
    Ok(output?)
}

/// The response body at `url`.
///
/// # Errors
/// If the server does not answer within [`PATIENCE`], or answers with an error.
pub fn get(url: &str) -> Result<String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
    let answer = ureq::Agent::new_with_config(config).get(url).call();
    let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    text.with_context(|| format!("requesting {url}"))
}

/// The folder for the tests' screenshots, if `DOWNBEAT_PICTURES` names one.
///
/// # Errors
/// If the folder cannot be created.
pub fn pictures_folder() -> Result<Option<PathBuf>> {
    let Some(folder) = std::env::var_os("DOWNBEAT_PICTURES").map(PathBuf::from) else {
        return Ok(None);
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    Ok(Some(folder))
}
