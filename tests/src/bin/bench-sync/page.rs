//! The page in a real browser among desktop players: how far off them it sounds, as it is, and once
//! its extra latency is set to the measured difference; and how it joins a long sound.

use std::{collections::HashMap, thread::sleep, time::Duration};

use anyhow::Result;
use downbeat_tests::{
    browser::Browser,
    claims::shared_micros,
    figures::quantile,
    lab::Lab,
    recorder::{RATE, Recording},
    relay::Relay,
};

use crate::{
    Settings, latecomer, press,
    room::{Bang, Room, server_note},
    table::Row,
};

/// Desktop players, on the first cards; the browser is on the next, and the presser on the last.
const DESKTOPS: usize = 2;
const PAGE: usize = DESKTOPS;
const PRESSER: usize = PAGE + 1;

/// How long the page has to learn the time and its own latency: as long as a player has.
const SETTLING: Duration = Duration::from_secs(5);

/// Measures the page on a loopback.
pub fn measure(settings: &Settings) -> Result<Vec<Row>> {
    let lab = Lab::open(PRESSER + 1)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let mut room = Room { lab, relay, url, players: Vec::new(), joined: HashMap::new() };
    room.start(0..DESKTOPS)?;
    let browser = Browser::open(|program| room.lab.command_on(PAGE, program), 390, 844)?;
    browser.go(&room.relay.http_url())?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    sleep(SETTLING);

    let (reported, ()) = bang(&room, settings, || Ok(()))?;
    let extra = quantile(&reported.off, 0.5).unwrap_or(0.0);
    let extra = browser.set("#extra-latency", &format!("{:.1}", extra / 1e3))?;
    // The browser remembers the extra latency.
    let (corrected, joining) = bang(&room, settings, || {
        browser.go("about:blank")?;
        latecomer::come(&room.url, PAGE, || {
            browser.go(&room.relay.http_url())?;
            browser.click("#start")?;
            Ok(shared_micros())
        })
    })?;
    let mut late = corrected.row(format!("page, extra latency {extra} ms"));
    late.notes.push(latecomer::note(&corrected.recording, &corrected.bangs, &joining)?);
    Ok(vec![reported.row("page against desktops".to_owned()), late])
}

/// What was heard of the page.
struct Heard {
    /// How much later than the desktops each bang sounded on the page, in microseconds.
    off: Vec<f64>,
    bangs: Vec<Bang>,
    recording: Recording,
}

/// Lets someone bang, and something happen `afterwards` that is recorded too.
fn bang<T>(
    room: &Room,
    settings: &Settings,
    afterwards: impl FnOnce() -> Result<T>,
) -> Result<(Heard, T)> {
    let (since, take) = (shared_micros(), room.lab.record());
    let told = press::Told::Relay(&room.url);
    let presser = press::start(&room.lab, PRESSER, told, settings.bangs, press::GAP_SECONDS)?;
    press::wait_for(&presser, settings.bangs)?;
    sleep(Duration::from_secs(1));
    let happened = afterwards()?;
    let recording = take.stop()?;
    let marked = press::presses(&presser);
    let bangs = Bang::all(&recording, &marked, since, press::GAP_SECONDS, PRESSER)?;
    let off = bangs.iter().filter_map(|bang| {
        let desktops: Vec<f64> = bang.sounded[..DESKTOPS].iter().copied().flatten().collect();
        let middle = desktops.iter().sum::<f64>() / desktops.len() as f64;
        Some((bang.sounded[PAGE]? - middle) * 1e6 / RATE as f64)
    });
    let off = off.filter(|off| off.is_finite()).collect();
    Ok((Heard { off, bangs, recording }, happened))
}

impl Heard {
    fn row(&self, system: String) -> Row {
        let sounded = self.bangs.iter().filter_map(|bang| Some(bang.sounded[PAGE]? - bang.pressed));
        let part = |share| quantile(&self.off, share).unwrap_or(f64::NAN);
        Row {
            system,
            spreads: self.off.iter().map(|off| off.abs()).collect(),
            presses: sounded.map(|frames| frames * 1e3 / RATE as f64).collect(),
            notes: vec![
                format!("{} sounds missed by the page", self.bangs.len() - self.off.len()),
                format!(
                    "behind the desktops by {:.0} us in the median, 90 % within {:.0} to {:.0}",
                    part(0.5),
                    part(0.05),
                    part(0.95)
                ),
                server_note(&self.recording),
            ],
            ..Row::default()
        }
    }
}
