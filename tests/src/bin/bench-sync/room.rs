//! A room of Downbeat's players on one network. Some start at the beginning, some while the others
//! play.

use std::{
    collections::HashMap,
    fmt::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    claims::{ClaimWatch, Claims, claimed_at, shared_micros},
    disturbance::Disturbance,
    figures::{later, quantile, spread, within},
    lab::{Lab, Rig, wait_until_ready},
    network::Network,
    onsets,
    process::{PATIENCE, Process},
    recorder::{RATE, Recording},
    relay::Relay,
};
use serde_json::Value;

use crate::{Settings, latecomer, press, table::Row, variable};

/// One in this many players starts while the others play.
pub const LATE_ONE_IN: usize = 4;

/// A player counts as settled this long after it has connected.
pub const SETTLED: Duration = Duration::from_secs(3);

/// Frames compared from an onset on: the whole default sound and a margin.
const WINDOW: usize = RATE / 40;

/// Largest deviation of a mark from its expected position, in frames: due to missed blocks, and at
/// first to the buffers at the start of the recording. Less than half of the gap.
const MARK_REACH: f64 = RATE as f64 / 4.0;

/// Polling interval of the roster.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Measures a room of players on `network`, a quarter of which join while the others play; on the
/// loopback also while other programs disturb them.
pub fn measure(settings: &Settings, rig: Rig, network: Network) -> Result<Vec<Row>> {
    let count = settings.players;
    eprintln!("-- downbeat, {rig}, {network}: {count} players");
    let lab = Lab::open_on(rig, count + 1)?;
    let relay = Relay::start()?;
    let url = format!("ws://{}/", network.before(relay.address())?);
    let mut room = Room { lab, relay, url, players: Vec::new(), joined: HashMap::new() };
    let late = count / LATE_ONE_IN;
    room.start(0..count - late)?;
    sleep(SETTLED);

    let name = format!("downbeat, {rig}, {network}");
    let mut rows = vec![bang(&mut room, settings, &name, true)?];
    if network.is_loopback() {
        let disturbance = Disturbance::start(&room.lab)?;
        let name = format!("downbeat, {rig}, disturbed");
        rows.push(bang(&mut room, settings, &name, false)?);
        drop(disturbance);
        let name = format!("downbeat, {rig}, a variable's step");
        rows.push(variable::measure(&room, settings, &name)?);
    }
    Ok(rows)
}

/// Measures a series of presses. If `grows`, the last quarter of the machines join meanwhile, and
/// one rejoins while a long sound plays.
fn bang(room: &mut Room, settings: &Settings, name: &str, grows: bool) -> Result<Row> {
    let Settings { players: count, bangs, .. } = *settings;
    let late = if grows { count / LATE_ONE_IN } else { 0 };
    let watch = ClaimWatch::start(&room.relay);
    let (since, take) = (shared_micros(), room.lab.record());
    let target = press::Target::Relay(&room.url);
    let presser = press::start(&room.lab, count, target, bangs, press::GAP_SECONDS)?;
    for machine in count - late..count {
        let share = (machine + late + 1 - count) as f64 / (late + 1) as f64;
        let from = (share * bangs as f64 / 2.0) as usize;
        press::wait_for(&presser, from)?;
        room.start(machine..machine + 1)?;
    }
    press::wait_for(&presser, bangs)?;
    sleep(Duration::from_secs(1));
    let reports = room.reports()?;
    let health = room.relay.health()?;
    let claims = watch.stop()?;
    let joined = if grows { Some(latecomer::join(room, count - 1)?) } else { None };
    let recording = take.stop()?;

    let marked = press::presses(&presser);
    let bangs = Bang::all(&recording, &marked, since, press::GAP_SECONDS, count)?;
    let mut row = row(name, marked.len(), &bangs, &room.joined);
    row.notes.push(server_note(&recording));
    if let Some(joined) = joined {
        row.notes.push(latecomer::note(&recording, &bangs, &joined)?);
    }
    row.notes.push(claim_note(&bangs, &room.joined, &claims));
    row.notes.push(format!("lead at the end {:.1} ms; {reports}", millis(&health["lead_micros"])));
    Ok(row)
}

/// Compares the claimed error bounds with the machines' offsets from the median.
fn claim_note(bangs: &[Bang], joined: &HashMap<usize, Joined>, claims: &Claims) -> String {
    let (mut errors, mut claimed, mut held) = (Vec::new(), Vec::new(), 0);
    for bang in bangs {
        let settled: Vec<(usize, f64)> = bang.settled(joined).collect();
        let frames: Vec<f64> = settled.iter().map(|(_, frame)| *frame).collect();
        let Some(middle) = quantile(&frames, 0.5) else { continue };
        for (machine, frame) in settled {
            let name = Lab::machine_name(machine);
            let claim = claims.get(&name).and_then(|own| claimed_at(own, bang.pressed_micros));
            let Some(claim) = claim else { continue };
            let error = (frame - middle).abs() * 1e6 / RATE as f64;
            held += usize::from(error <= claim);
            errors.push(error);
            claimed.push(claim);
        }
    }
    let median = |values: &[f64]| quantile(values, 0.5).unwrap_or(f64::NAN);
    format!(
        "claimed bound, median {:.0} us, held for {:.1} % of {} sounds, whose median error is {:.0} us",
        median(&claimed),
        100.0 * held as f64 / errors.len() as f64,
        errors.len(),
        median(&errors)
    )
}

/// The players and their relay.
pub struct Room {
    pub lab: Lab,
    pub relay: Relay,
    /// The URL that players connect to.
    pub url: String,
    /// By machine.
    pub players: Vec<Process>,
    /// By machine.
    pub joined: HashMap<usize, Joined>,
}

/// The times of a player's start.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// When the roster listed it, in microseconds of [`shared_micros`].
    pub at_micros: u64,
    /// How much later it first reported a clock estimate.
    pub synced_after: Duration,
}

impl Room {
    /// Starts players on `machines`, and waits until they are ready.
    pub fn start(&mut self, machines: std::ops::Range<usize>) -> Result<()> {
        for machine in machines.clone() {
            self.players.push(self.lab.start_play(machine, &self.url)?);
        }
        self.watch(machines.clone())?;
        machines.into_iter().try_for_each(|machine| wait_until_ready(&self.players[machine]))
    }

    /// Waits until the players are listed and have reported a clock estimate, and notes when.
    fn watch(&mut self, machines: std::ops::Range<usize>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut came: HashMap<usize, (u64, Instant)> = HashMap::new();
        let mut missing: Vec<usize> = machines.collect();
        while !missing.is_empty() {
            ensure!(Instant::now() < deadline, "machines {missing:?} have no clock estimate");
            let health = self.relay.health()?;
            let (now, now_micros) = (Instant::now(), shared_micros());
            missing.retain(|machine| {
                let Some(client) = client(&health, &Lab::machine_name(*machine)) else {
                    return true;
                };
                let (at_micros, at) = *came.entry(*machine).or_insert((now_micros, now));
                let synced = client["report"]["clock_error_micros"].is_u64();
                if synced {
                    let joined = Joined { at_micros, synced_after: now - at };
                    self.joined.insert(*machine, joined);
                }
                !synced
            });
            sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// The players' reports in one line.
    fn reports(&self) -> Result<String> {
        let health = self.relay.health()?;
        let clients = health["clients"].as_array().context("/healthz lists the clients")?;
        let reports: Vec<&Value> = clients.iter().map(|client| &client["report"]).collect();
        let mut line = String::from("as players report:");
        for (what, field) in [
            ("need", "lead_micros"),
            ("latency", "latency_micros"),
            ("clock within", "clock_error_micros"),
        ] {
            let values: Vec<f64> =
                reports.iter().filter_map(|r| r[field].as_f64()).map(|v| v / 1e3).collect();
            let (least, most) = (quantile(&values, 0.0), quantile(&values, 1.0));
            write!(line, " {what} {:.2}-{:.2} ms,", least.unwrap_or(0.0), most.unwrap_or(0.0))?;
        }
        let sum = |field| reports.iter().filter_map(|r| r[field].as_u64()).sum::<u64>();
        write!(line, " {} late of {}, {} xruns", sum("late"), sum("triggers"), sum("xruns"))?;
        Ok(line)
    }
}

fn client<'a>(health: &'a Value, name: &str) -> Option<&'a Value> {
    health["clients"].as_array()?.iter().find(|client| client["name"] == name)
}

fn millis(micros: &Value) -> f64 {
    micros.as_f64().unwrap_or(f64::NAN) / 1e3
}

/// One bang: its press and its onsets.
pub struct Bang {
    /// The press, in microseconds of [`shared_micros`].
    pub pressed_micros: u64,
    /// The press, in frames of the recording.
    pub pressed: f64,
    /// The onset on each machine, in frames of the recording; `None` where it did not sound.
    pub sounded: Vec<Option<f64>>,
}

impl Bang {
    /// All bangs with a mark on the last channel of `recording`, at least `gap` seconds apart.
    pub fn all(
        recording: &Recording,
        marked: &[u64],
        since: u64,
        gap: f64,
        players: usize,
    ) -> Result<Vec<Self>> {
        let onsets: Vec<_> = (0..=players).map(|channel| recording.onsets(channel)).collect();
        let marks = pair(marked, &onsets[players], since)?;
        let bang = |(pressed_micros, mark): &(u64, usize)| {
            let pressed = *mark as f64 - press::MARK_SECONDS * RATE as f64;
            let over = pressed + gap * RATE as f64;
            let reference = (recording.channels[players].as_slice(), *mark);
            let sounded = (0..players).map(|channel| {
                let onset = within(&onsets[channel], pressed, over)?;
                let values = (recording.channels[channel].as_slice(), onset);
                Some(*mark as f64 + later(values, reference, WINDOW)?)
            });
            Self { pressed_micros: *pressed_micros, pressed, sounded: sounded.collect() }
        };
        Ok(marks.iter().map(bang).collect())
    }
}

impl Bang {
    /// Whether a machine had settled by then.
    fn is_settled(&self, machine: usize, joined: &HashMap<usize, Joined>) -> bool {
        joined.get(&machine).is_none_or(|joined| {
            self.pressed_micros >= joined.at_micros + SETTLED.as_micros() as u64
        })
    }

    /// The settled machines that sounded, and their onsets in frames.
    fn settled(&self, joined: &HashMap<usize, Joined>) -> impl Iterator<Item = (usize, f64)> {
        let sounded = self.sounded.iter().enumerate();
        sounded
            .filter(|(machine, _)| self.is_settled(*machine, joined))
            .filter_map(|(machine, frame)| Some((machine, (*frame)?)))
    }
}

/// Finds the mark of each press in a recording that began at about `since`. On a busy machine a
/// card may miss a block, and with it a mark; that press is left out.
fn pair(presses: &[u64], marks: &[usize], since: u64) -> Result<Vec<(u64, usize)>> {
    // The card's clock may drift against the machine's, so each mark shifts the expected position
    // of the next.
    let mut shift = press::MARK_SECONDS * RATE as f64;
    let found = presses.iter().filter_map(|press| {
        let frames = press.saturating_sub(since) as f64 * RATE as f64 / 1e6;
        let at = frames + shift;
        let mark = within(marks, at - MARK_REACH, at + MARK_REACH)?;
        shift = mark as f64 - frames;
        Some((*press, mark))
    });
    let found: Vec<_> = found.collect();
    let (found_count, count) = (found.len(), presses.len());
    ensure!(found_count * 2 >= count, "only {found_count} of {count} presses left a mark");
    Ok(found)
}

/// The figures of `bangs`, which are those of `pressed` presses that left a mark. A player counts
/// once it has settled.
pub fn row(system: &str, pressed: usize, bangs: &[Bang], joined: &HashMap<usize, Joined>) -> Row {
    let mut row = Row { system: system.to_owned(), ..Row::default() };
    let mut missed = 0;
    let mut lags: Vec<Vec<f64>> = Vec::new();
    for bang in bangs {
        let here = (0..bang.sounded.len()).filter(|m| bang.is_settled(*m, joined)).count();
        let sounded: Vec<f64> = bang.settled(joined).map(|(_, frame)| frame).collect();
        missed += here - sounded.len();
        row.presses.extend(sounded.iter().map(|at| (at - bang.pressed) * 1e3 / RATE as f64));
        row.spreads.extend(spread(&sounded).map(|frames| frames * 1e6 / RATE as f64));
        let middle = quantile(&sounded, 0.5).unwrap_or(f64::NAN);
        let lag = |at: Option<f64>| at.map_or(f64::NAN, |at| (at - middle) * 1e6 / RATE as f64);
        lags.push(bang.sounded.iter().copied().map(lag).collect());
    }
    row.syncs = joined.values().map(|joined| joined.synced_after.as_secs_f64() * 1e3).collect();
    row.notes.push(format!(
        "{missed} sounds missed by settled machines; {} presses of {pressed} left no mark",
        pressed - bangs.len()
    ));
    row.notes.push(by_machine(&lags));
    if std::env::var_os("LAGS").is_some() {
        for lags in &lags {
            eprintln!("{lags:7.0?}");
        }
    }
    row
}

/// The accuracy of the lab itself, in one line.
pub fn server_note(recording: &Recording) -> String {
    let millis = recording.server_late.as_secs_f64() * 1e3;
    format!("the lab's sound server was late by at most {millis:.1} ms")
}

/// The median offset and the range of each machine, relative to the median machine.
fn by_machine(lags: &[Vec<f64>]) -> String {
    let machines = lags.first().map_or(0, Vec::len);
    let each = (0..machines).map(|machine| {
        let own: Vec<f64> = lags.iter().map(|l| l[machine]).filter(|l| !l.is_nan()).collect();
        let middle = quantile(&own, 0.5).unwrap_or(f64::NAN);
        let off = onsets::spread(&own);
        format!("{middle:.0} ({off:.0})")
    });
    format!(
        "each machine against the median machine, median (range) us: {}",
        each.collect::<Vec<_>>().join(", ")
    )
}
