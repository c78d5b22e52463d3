//! A room that one person runs: players that find the relay by multicast DNS, and pages. Its machines are renamed,
//! seated and heard; one is late, and the receipt says so; a sound is added, and is ready everywhere; a restart
//! forgets nothing.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    AssignRequest, ClientId, ClientKind, ClientToRelay, MachineEntry, Place, Receipt,
    RelayToClient, StopRequest, TriggerRequest,
};
use downbeat_tests::{
    browser::Browser,
    client::V1Client,
    lab::{self, Lab, Rig},
    partition::{VirtualLink, is_permitted},
    process::Process,
    relay::Relay,
    room::{wait_for_silence, wait_until_ready},
    tools::workspace_folder,
};

const PLAYERS: usize = 12;
const PAGES: usize = 3;

/// The player that is kept off its processor when the others sound.
const LATE: usize = 3;

/// For how long: more than the largest lead of this relay.
const KEPT_OFF: Duration = Duration::from_millis(900);

/// A sound that is longer than that.
const LONG_SOUND: &str = "texture";

/// The file that is added, relative to the workspace.
const ADDED: &str = "tests/vectors/audio/pluck.flac";

/// Software rendering and fifteen machines on one.
const AMPLE_LEAD_MILLIS: &str = "200";

struct Room {
    players: Vec<Process>,
    _pages: Vec<Browser>,
    lab: Lab,
    relay: Relay,
    conductor: V1Client,
    /// Removed last: all of this uses it.
    _link: VirtualLink,
}

fn everyone() -> Vec<usize> {
    (0..PLAYERS + PAGES).collect()
}

/// Starts a player at the far end of the link, which is not told where the relay is.
fn start_far_player(lab: &Lab, link: &VirtualLink, machine: usize) -> Result<Process> {
    let mut command = lab.downbeat()?;
    command.args(["play", "--device", &Lab::card_description(machine)]);
    command.args(["--name", &Lab::machine_name(machine)]);
    Process::spawn(format!("player {machine}"), link.far_command(&command)?)
}

fn open_page(lab: &Lab, relay: &Relay, machine: usize) -> Result<Browser> {
    let page = Browser::open(|program| lab.command_on(machine, program), 400, 800)?;
    page.go(&relay.http_url())?;
    page.click("#start")?;
    page.wait_for("#state[data-state=connected]")?;
    Ok(page)
}

fn conduct(relay: &Relay) -> Result<V1Client> {
    let mut conductor = V1Client::connect(&relay.ws_url(), "conductor", ClientKind::Remote)?;
    conductor.watch()?;
    Ok(conductor)
}

fn open(data: &Path) -> Result<Room> {
    let link = VirtualLink::create()?;
    let lab = Lab::open_on(Rig::Stock, PLAYERS + PAGES)?;
    let data = data.to_str().context("the folder's path is UTF-8")?;
    let relay = Relay::start_on(
        &format!("{}:0", link.near_address()),
        &["--data", data, "--min-lead-ms", AMPLE_LEAD_MILLIS],
    )?;
    let players = (0..PLAYERS).map(|machine| start_far_player(&lab, &link, machine));
    let players = players.collect::<Result<Vec<_>>>()?;
    for player in &players {
        lab::wait_until_ready(player)?;
    }
    let pages = (PLAYERS..PLAYERS + PAGES).map(|machine| open_page(&lab, &relay, machine));
    let pages = pages.collect::<Result<Vec<_>>>()?;
    wait_until_ready(&lab, &relay, &everyone())?;
    let conductor = conduct(&relay)?;
    Ok(Room { players, _pages: pages, lab, relay, conductor, _link: link })
}

/// The players of the room, ordered by their numbers: that of the pages, in which they connected, is the last.
fn playing(conductor: &mut V1Client) -> Result<Vec<MachineEntry>> {
    let plays = |client: &&MachineEntry| client.kind.is_player();
    conductor.wait_until(|room| room.machines.values().filter(plays).count() == PLAYERS + PAGES)?;
    Ok(conductor.machines.values().filter(plays).cloned().collect())
}

fn named(machines: &[MachineEntry], name: &str) -> Result<ClientId> {
    let entry = machines.iter().find(|entry| entry.name == name);
    Ok(entry.with_context(|| format!("{name} is not in the room"))?.id)
}

fn bang(conductor: &mut V1Client, sound: &str) -> Result<u64> {
    let sound = Some(sound.to_owned());
    conductor
        .send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;
    conductor.wait_for(|message| match message {
        RelayToClient::Trigger(trigger) => Some(trigger.seq),
        _ => None,
    })
}

/// The receipt of a trigger, when all players have answered.
fn receipt(conductor: &mut V1Client, seq: u64) -> Result<Receipt> {
    conductor.wait_for(|message| match message {
        RelayToClient::Receipt(receipt) if receipt.seq == seq && receipt.waiting.is_empty() => {
            Some(receipt)
        }
        _ => None,
    })
}

/// Renames and seats all machines; player 0 is called "harp".
fn seat(conductor: &mut V1Client, machines: &[MachineEntry]) -> Result<()> {
    for (index, entry) in machines.iter().enumerate() {
        let is_harp = entry.name == Lab::machine_name(0);
        let across = index as f32 / machines.len() as f32;
        conductor.send(&ClientToRelay::Assign(AssignRequest {
            clients: vec![entry.id],
            name: is_harp.then(|| "harp".to_owned()),
            seat: Some(u16::try_from(index + 1)?),
            place: Some(Place { x: across, y: 0.5 }),
            ack: Some(index as u64),
            ..AssignRequest::default()
        }))?;
    }
    let last = machines.len() as u64 - 1;
    conductor.wait_for(|message| match message {
        RelayToClient::Ack(ack) if ack.ack == last => Some(()),
        _ => None,
    })?;
    conductor.wait_until(|room| {
        let seated = room.machines.values().filter(|entry| entry.seat.is_some()).count();
        seated == machines.len() && room.machines.values().any(|entry| entry.name == "harp")
    })
}

#[test]
fn one_person_runs_a_room_of_players_and_pages() -> Result<()> {
    if !is_permitted()? {
        return Ok(());
    }
    let data = tempfile::tempdir()?;
    let mut room = open(data.path())?;
    let Room { players, lab, relay, conductor, .. } = &mut room;

    let machines = playing(conductor)?;
    seat(conductor, &machines)?;

    // A machine that is late joins the sound, and the receipt says how late it was.
    let late = named(&machines, &Lab::machine_name(LATE))?;
    std::thread::scope(|scope| -> Result<()> {
        let suspended = scope.spawn(|| players[LATE].suspend_for(KEPT_OFF));
        std::thread::sleep(Duration::from_millis(50));
        let seq = bang(conductor, LONG_SOUND)?;
        let receipt = receipt(conductor, seq)?;
        suspended.join().map_err(|_| anyhow::anyhow!("the thread that suspends panicked"))??;
        println!("{receipt:?}");
        assert_eq!((receipt.expected, receipt.sounded), (15, 15));
        let entry = receipt.late.iter().find(|entry| entry.id == late);
        let micros = entry.context("the receipt does not name the late machine")?.lateness_micros;
        ensure!((200_000..1_500_000).contains(&micros), "it was {micros} us late");
        Ok(())
    })?;
    conductor.send(&ClientToRelay::Stop(StopRequest::default()))?;
    wait_for_silence(lab, &everyone())?;

    // A sound that is added is ready on all machines, and sounds.
    let began = Instant::now();
    let mut add = lab.downbeat()?;
    let file = workspace_folder().join(ADDED);
    add.args(["add", "--relay", &relay.http_url()]).arg(file);
    let mut add = Process::spawn("downbeat add", add)?;
    add.expect_exit(0)?;
    println!("ready everywhere {:.1} s after it was added", began.elapsed().as_secs_f64());
    add.wait_for("ready on 15 of 15")?;
    let take = lab.record();
    let seq = bang(conductor, "pluck")?;
    take.wait_for_onsets(&everyone(), 1)?;
    let receipt = receipt(conductor, seq)?;
    assert_eq!((receipt.expected, receipt.sounded), (15, 15), "{receipt:?}");
    drop(take);

    // Players that come again are known again, and so is the sound.
    relay.kill()?;
    relay.restart()?;
    let mut conductor = conduct(relay)?;
    assert!(conductor.welcome.sounds.iter().any(|sound| sound.name == "pluck"));
    let machines = playing(&mut conductor)?;
    assert!(machines.iter().all(|entry| entry.seat.is_some()), "{machines:?}");
    named(&machines, "harp")?;
    Ok(())
}
