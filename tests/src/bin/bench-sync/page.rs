//! The page in a real browser beside desktop players: its offset from them without extra latency
//! and with the extra latency set to the measured offset, and how it joins a long sound.

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

/// Number of desktop players, on the first cards. The browser uses the next card, the presser the
/// last.
const DESKTOPS: usize = 2;
const PAGE: usize = DESKTOPS;
const PRESSER: usize = PAGE + 1;

/// Time for the page's clock and latency estimates to settle, as for a player.
const SETTLING: Duration = Duration::from_secs(5);

/// Measures the page on the loopback.
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

/// The measurements of the page.
struct PageResult {
    /// The lag of the page behind the desktop players, per bang, in microseconds.
    off: Vec<f64>,
    bangs: Vec<Bang>,
    recording: Recording,
}

/// Records the bangs of a presser, and what `afterwards` does after them.
fn bang<T>(
    room: &Room,
    settings: &Settings,
    afterwards: impl FnOnce() -> Result<T>,
) -> Result<(PageResult, T)> {
    let (since, take) = (shared_micros(), room.lab.record());
    let target = press::Target::Relay(&room.url);
    let presser = press::start(&room.lab, PRESSER, target, settings.bangs, press::GAP_SECONDS)?;
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
    Ok((PageResult { off, bangs, recording }, happened))
}

impl PageResult {
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
                    "lag behind the desktops: median {:.0} us, 90 % within {:.0} to {:.0}",
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
