//! Real-time priority for a relay whose resource limits forbid it: from rtkit, over a private
//! system bus, and what the relay reports.
#![allow(
    clippy::used_underscore_binding,
    reason = "a bus object's method must name what it ignores"
)]

use std::{
    collections::HashMap,
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, net::UnixListener, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    process::{From, PATIENCE, Process},
    relay::{clear_settings, health},
    tools::{binary, run, tool},
};
use rustix::process::geteuid;
use tempfile::TempDir;
use zbus::{Connection, connection, interface, zvariant::OwnedValue};

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

const RTKIT: &str = "/usr/libexec/rtkit-daemon";

/// A folder with a copy of the relay, accessible to every user.
struct Rig {
    folder: TempDir,
    relay: PathBuf,
}

impl Rig {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let relay = folder.path().join("downbeat-relay");
        // Copied by another process: a child that another test forks meanwhile would inherit the
        // file open for writing, and executing it would fail with ETXTBSY.
        run(Command::new("cp").arg(binary("downbeat-relay")?).arg(&relay))?;
        Ok(Self { folder, relay })
    }

    /// The socket of the system bus, if there is one.
    fn bus(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    /// Runs the relay as a user whose resource limits forbid real-time priority, with this system
    /// bus.
    fn run_relay(&self) -> Result<PriorityReport> {
        let mut command = Command::new(tool("prlimit")?);
        clear_settings(&mut command);
        command.arg("--rtprio=0:0").arg(&self.relay).args(["--listen", "127.0.0.1:0"]);
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        command.env("DBUS_SYSTEM_BUS_ADDRESS", address(&self.bus()));
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let start = Instant::now();
        let mut relay = Process::spawn("downbeat-relay", command)?;
        let line = relay.wait_for("Server started: ")?;
        let start = start.elapsed();
        let health = health(line.trim_start_matches("Server started: "))?;
        let priority = health["priority"].as_str().context("/healthz has no priority")?.to_owned();
        let level = level(relay.id())?;
        relay.terminate()?;
        relay.expect_exit(0)?;
        let mut log = relay.lines(From::Stderr);
        log.retain(|line| line.contains("real-time priority"));
        Ok(PriorityReport { priority, level, log, start })
    }
}

/// The priority that a relay reported, and the actual one.
struct PriorityReport {
    /// From `/healthz`.
    priority: String,
    /// The real-time priority of its main thread; 0 for none.
    level: u32,
    /// The log lines about it.
    log: Vec<String>,
    /// How long it took to start.
    start: Duration,
}

/// The real-time priority of a process's main thread.
fn level(pid: u32) -> Result<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in brackets. The priority is the 40th field, the 38th after the name.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
    let level =
        fields.and_then(|fields| fields.split(' ').nth(37)).context("a field is missing")?;
    Ok(level.parse()?)
}

fn address(bus: &Path) -> String {
    format!("unix:path={}", bus.display())
}

/// Starts a system bus.
fn start_bus(rig: &Rig) -> Result<Process> {
    let settings = rig.folder.path().join("bus.conf");
    fs::write(
        &settings,
        format!(
            r#"<busconfig><type>system</type><listen>{}</listen><auth>EXTERNAL</auth>
            <policy context="default"><allow user="*"/><allow own="*"/>
            <allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>"#,
            address(&rig.bus())
        ),
    )?;
    let mut command = Command::new(tool("dbus-daemon")?);
    command.args(["--nofork", "--nopidfile", "--print-address"]);
    command.arg(format!("--config-file={}", settings.display()));
    let bus = Process::spawn("dbus-daemon", command)?;
    bus.wait_for("unix:path=")?;
    Ok(bus)
}

/// A stand-in for `PolicyKit` that authorizes every request of rtkit.
struct Permissive;

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Permissive {
    #[allow(clippy::unused_self, reason = "an object on the bus has methods")]
    fn check_authorization(
        &self,
        _subject: (String, HashMap<String, OwnedValue>),
        _action: &str,
        _details: HashMap<String, String>,
        _flags: u32,
        _cancellation: &str,
    ) -> ((bool, bool, HashMap<String, String>),) {
        ((true, false, HashMap::new()),)
    }
}

fn start_policy(bus: &Path) -> Result<Connection> {
    let connection = connection::Builder::address(address(bus).as_str())?
        .name("org.freedesktop.PolicyKit1")?
        .serve_at("/org/freedesktop/PolicyKit1/Authority", Permissive)?
        .build();
    Ok(async_io::block_on(connection)?)
}

/// Starts rtkit, and waits until it is on the bus.
fn start_rtkit(bus: &Path, policy: &Connection) -> Result<Process> {
    ensure!(Path::new(RTKIT).is_file(), "{RTKIT} is not installed: apt-get install rtkit");
    let mut command = Command::new(RTKIT);
    // Its resource limits are for a daemon under systemd; one of them forbids writing files.
    command.args(["--stderr", "--no-limit-resources"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", address(bus));
    let rtkit = Process::spawn("rtkit-daemon", command)?;
    let names = async_io::block_on(zbus::fdo::DBusProxy::new(policy))?;
    let deadline = Instant::now() + PATIENCE;
    let name = "org.freedesktop.RealtimeKit1".try_into()?;
    while !async_io::block_on(names.name_has_owner(zbus::names::BusName::clone(&name)))? {
        ensure!(Instant::now() < deadline && !rtkit.has_ended(), "{}", rtkit.transcript());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(rtkit)
}

#[test]
fn a_relay_without_privileges_gets_real_time_priority_from_rtkit() -> Result<()> {
    if !geteuid().is_root() {
        println!("NOT RUN: rtkit works only as root. Run this test as root.");
        return Ok(());
    }
    let rig = Rig::new()?;
    let _bus = start_bus(&rig)?;
    let policy = start_policy(&rig.bus())?;
    let _rtkit = start_rtkit(&rig.bus(), &policy)?;
    let report = rig.run_relay()?;
    assert_eq!(report.priority, "SCHED_RR 3 (rtkit)");
    assert_eq!(report.level, 3);
    assert_eq!(report.log.len(), 1, "{:?}", report.log);
    assert!(report.log[0].ends_with("real-time priority: SCHED_RR 3 (rtkit)"), "{:?}", report.log);
    Ok(())
}

/// Asserts that the relay has no priority, and reports why and what to do.
fn expect_unavailable(report: &PriorityReport, why: &str) {
    let PriorityReport { priority, log, .. } = report;
    assert!(priority.starts_with(&format!("unavailable: {why}")), "{priority}");
    assert!(priority.ends_with("; raise `ulimit -r` or install rtkit"), "{priority}");
    assert_eq!(report.level, 0);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].ends_with(&format!("real-time priority {priority}")), "{log:?}");
}

#[test]
fn a_missing_system_bus_is_reported() -> Result<()> {
    expect_unavailable(&Rig::new()?.run_relay()?, "no system bus at ");
    Ok(())
}

#[test]
fn a_missing_rtkit_is_reported() -> Result<()> {
    let rig = Rig::new()?;
    let _bus = start_bus(&rig)?;
    expect_unavailable(&rig.run_relay()?, "rtkit: The name org.freedesktop.RealtimeKit1 ");
    Ok(())
}

#[test]
fn a_hanging_system_bus_delays_the_start_by_one_second_only() -> Result<()> {
    let rig = Rig::new()?;
    let _mute = UnixListener::bind(rig.bus())?;
    fs::set_permissions(rig.bus(), Permissions::from_mode(0o777))?;
    let report = rig.run_relay()?;
    expect_unavailable(&report, "rtkit does not answer within 1s");
    // All threads ask at the same time. One after the other, they would take five seconds or more.
    assert!(report.start < Duration::from_secs(4), "{:?}", report.start);
    Ok(())
}
