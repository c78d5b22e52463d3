//! The cost of a room in which nothing happens: players that report, one client that watches them, and a real window
//! that shows them, where there is a virtual screen for it.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use downbeat_tests::{
    lab::Lab,
    load::{
        cost::{memory_bytes, processor_nanos},
        crowd::{Crowd, Wire},
        server::Server,
    },
    process::Process,
    relay::relay_command,
    tools::pictures_folder,
    window::{Screen, Window},
};

/// How often players report.
const REPORTS: Duration = Duration::from_secs(2);

/// How long it is measured, after as long again in which the room settles.
const MEASURED: Duration = Duration::from_secs(20);

/// Position of the tab *Room* in a window of the initial size, in fractions of its width and height.
const ROOM_TAB: (f64, f64) = (0.5, 0.045);

/// How long a window has to connect before the tab is pressed.
const CONNECTED: Duration = Duration::from_secs(4);

/// A real window in the room, with an output of its own.
struct Shown {
    process: Process,
    screen: Screen,
    /// What input goes to.
    window: Window,
    _lab: Lab,
}

impl Shown {
    fn open(server: &Server) -> Result<Self> {
        let lab = Lab::open(1)?;
        let screen = Screen::open(1000, 800)?;
        let mut command = lab.downbeat()?;
        command.arg(format!("http://{}", server.address()));
        command.args(["--name", "desk", "--device", &Lab::card_description(0)]);
        command.env("DISPLAY", screen.display());
        let process = Process::spawn("a window", command)?;
        let window = screen.window("Downbeat")?;
        screen.wait_until_drawn()?;
        thread::sleep(CONNECTED);
        Ok(Self { process, screen, window, _lab: lab })
    }

    /// Shows the machines of the room.
    fn show_machines(&self) -> Result<()> {
        self.screen.click(&self.window, ROOM_TAB.0, ROOM_TAB.1)
    }
}

/// The processor time of a process at an instant.
struct Used {
    nanos: u64,
    at: Instant,
}

impl Used {
    fn now(pid: u32) -> Result<Self> {
        Ok(Self { nanos: processor_nanos(pid)?, at: Instant::now() })
    }

    /// What the process has used of a core since then.
    fn percent_since(&self, pid: u32) -> Result<f64> {
        let now = Self::now(pid)?;
        Ok((now.nanos - self.nanos) as f64 / 1e7 / (now.at - self.at).as_secs_f64())
    }
}

/// Measures a room of `count` players.
pub fn room(count: usize) -> Result<()> {
    let mut command = relay_command()?;
    command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
    let relay = Server::start(command)?;
    let shown = Shown::open(&relay);
    if let Err(error) = &shown {
        println!("No window is measured: {error:#}");
    }
    let empty = memory_bytes(relay.id())?;
    let mut players = Crowd::join(relay.address(), Wire::V1, count)?;
    let mut watcher = Crowd::join(relay.address(), Wire::V1, 1)?;
    watcher.send(0, br#"{"type":"watch","room":true}"#)?;
    let mut random = fastrand::Rng::with_seed(1);
    stay(&mut players, &mut watcher, &mut random)?;
    let window = shown.as_ref().ok().map(|shown| shown.process.id());
    // Each is a share of a core, in percent.
    let mut used_by_window = Vec::new();
    if let (Ok(shown), Some(window)) = (&shown, window) {
        let before = Used::now(window)?;
        stay(&mut players, &mut watcher, &mut random)?;
        used_by_window.push(before.percent_since(window)?);
        shown.show_machines()?;
        stay(&mut players, &mut watcher, &mut random)?;
    }

    let received = (players.received_bytes(), watcher.received_bytes());
    let before = window.map(Used::now).transpose()?;
    let relay_before = Used::now(relay.id())?;
    stay(&mut players, &mut watcher, &mut random)?;
    let seconds = relay_before.at.elapsed().as_secs_f64();
    let used = relay_before.percent_since(relay.id())?;
    if let (Some(window), Some(before)) = (window, before) {
        used_by_window.push(before.percent_since(window)?);
    }
    let rate = |before: u64, now: u64| (now - before) as f64 / seconds;
    let kib = memory_bytes(relay.id())?.saturating_sub(empty) as f64 / 1024.0;
    println!(
        "an idle room of {count} players that report every {} s: the relay sends {:.1} bytes a second to \
         each of them, {:.0} to one that watches; it takes {:.2} % of a core, and {:.1} KiB for each",
        REPORTS.as_secs(),
        rate(received.0, players.received_bytes()) / count as f64,
        rate(received.1, watcher.received_bytes()),
        used,
        kib / count as f64
    );
    if let (Ok(Shown { process, screen, .. }), [pads, machines]) = (&shown, &used_by_window[..]) {
        println!(
            "a window that plays takes {pads:.2} % of a core while it shows its pads, {machines:.2} % while it shows \
             the machines, and {:.0} MiB",
            memory_bytes(process.id())? as f64 / 1_048_576.0
        );
        if let Some(folder) = pictures_folder()? {
            screen.screenshot(&folder.join(format!("room-of-{count}.png")))?;
        }
    }
    Ok(())
}

/// Lets the players report, each at its own time, and reads what all are sent.
fn stay(players: &mut Crowd, watcher: &mut Crowd, random: &mut fastrand::Rng) -> Result<()> {
    let begun = Instant::now();
    let interval = REPORTS / u32::try_from(players.len())?;
    let mut sent = 0;
    while begun.elapsed() < MEASURED {
        while interval * sent < begun.elapsed() {
            // What an idle player reports varies a little.
            let report = format!(
                r#"{{"type":"report","lead_micros":{},"clock_error_micros":{},"latency_micros":{},"triggers":3,"late":0,"lateness_micros":0,"xruns":0,"ready":6,"output":"HDA Intel PCH","volume_db":-6.0}}"#,
                random.u32(24_000..26_000),
                random.u32(20..60),
                random.u32(10_300..10_500)
            );
            players.send(sent as usize % players.len(), report.as_bytes())?;
            sent += 1;
        }
        players.receive(Duration::from_millis(1), |_, _, _| ControlFlow::Continue(()))?;
        watcher.receive(Duration::from_micros(100), |_, _, _| ControlFlow::Continue(()))?;
    }
    Ok(())
}
