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
    window::Screen,
};

/// How often players report.
const REPORTS: Duration = Duration::from_secs(2);

/// How long it is measured, after as long again in which the room settles.
const MEASURED: Duration = Duration::from_secs(20);

/// Position of the tab *Room* in a window of the initial size, in fractions of its width and height.
const ROOM_TAB: (f64, f64) = (0.5, 0.045);

/// How long a window has to connect before the tab is pressed.
const CONNECTED: Duration = Duration::from_secs(4);

/// A window that shows the machines of the room.
struct Shown {
    process: Process,
    screen: Screen,
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
        screen.click(&window, ROOM_TAB.0, ROOM_TAB.1)?;
        Ok(Self { process, screen, _lab: lab })
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

    let received = (players.received_bytes(), watcher.received_bytes());
    let window = shown.as_ref().ok().map(|shown| shown.process.id());
    let used_by_window = window.map(processor_nanos).transpose()?;
    let (used, begun) = (processor_nanos(relay.id())?, Instant::now());
    stay(&mut players, &mut watcher, &mut random)?;
    let seconds = begun.elapsed().as_secs_f64();
    let share = |before: u64, now: u64| (now - before) as f64 / 1e7 / seconds;
    let used = share(used, processor_nanos(relay.id())?);
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
    if let (Ok(Shown { process, screen, .. }), Some(before)) = (&shown, used_by_window) {
        println!(
            "a window that shows them, and plays, takes {:.1} % of a core, and {:.0} MiB",
            share(before, processor_nanos(process.id())?),
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
