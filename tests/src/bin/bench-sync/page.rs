//! The page in a real browser among desktop players: how far off them it sounds.

use std::{collections::HashMap, thread::sleep, time::Duration};

use anyhow::Result;
use downbeat_tests::{browser::Browser, figures::quantile, lab::Lab, recorder::RATE, relay::Relay};

use crate::{
    Settings, press,
    room::{Bang, Room},
    table::Row,
};

/// Desktop players, on the first cards; the browser is on the next, and the presser on the last.
const DESKTOPS: usize = 2;
const PAGE: usize = DESKTOPS;
const PRESSER: usize = PAGE + 1;

/// How long the page has to learn the time and its own latency.
const SETTLING: Duration = Duration::from_secs(10);

/// Measures the page on a loopback.
pub fn measure(settings: &Settings) -> Result<Row> {
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

    let (since, take) = (crate::shared_micros(), room.lab.record());
    let told = press::Told::Relay(&room.url);
    let presser = press::start(&room.lab, PRESSER, told, settings.bangs, press::GAP_SECONDS)?;
    press::wait_for(&presser, settings.bangs)?;
    sleep(Duration::from_secs(1));
    let marked = press::presses(&presser);
    let bangs = Bang::all(&take.stop()?, &marked, since, press::GAP_SECONDS, PRESSER)?;

    let off = bangs.iter().filter_map(|bang| {
        let desktops: Vec<f64> = bang.sounded[..DESKTOPS].iter().copied().flatten().collect();
        let middle = desktops.iter().sum::<f64>() / desktops.len() as f64;
        Some((bang.sounded[PAGE]? - middle) * 1e6 / RATE as f64)
    });
    let off: Vec<f64> = off.filter(|off| off.is_finite()).collect();
    let trim = quantile(&off, 0.5).unwrap_or(f64::NAN);
    let trimmed: Vec<f64> = off.iter().map(|off| (off - trim).abs()).collect();
    let sounded = bangs.iter().filter_map(|bang| Some(bang.sounded[PAGE]? - bang.pressed));
    Ok(Row {
        system: "page against desktops".to_owned(),
        spreads: off.iter().map(|off| off.abs()).collect(),
        presses: sounded.map(|frames| frames * 1e3 / RATE as f64).collect(),
        notes: vec![
            format!("{} sounds missed by the page", bangs.len() - off.len()),
            format!(
                "off by {trim:.0} us in the median; once that is trimmed, by {:.0} us in the \
                 median and {:.0} us in the 95th percentile",
                quantile(&trimmed, 0.5).unwrap_or(f64::NAN),
                quantile(&trimmed, 0.95).unwrap_or(f64::NAN),
            ),
        ],
        ..Row::default()
    })
}
