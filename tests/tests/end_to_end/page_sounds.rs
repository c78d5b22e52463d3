//! The sounds of the page in a real browser: file formats, and a bank of two thousand.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{browser::Browser, process::PATIENCE, relay::Relay, tools::pictures_folder};

/// A browser without an audio output: its audio clock runs without a sound server.
fn open(width: u32, height: u32) -> Result<Browser> {
    let launch = |program: &Path| {
        let mut command = Command::new(program);
        command.env("PULSE_SERVER", "unix:/nonexistent");
        command
    };
    Browser::open(launch, width, height)
}

/// Opens the page of a relay that serves `folder`, on an emulated phone.
fn join(folder: &Path) -> Result<(Relay, Browser)> {
    let relay = Relay::start_with(&[Path::new("--samples"), folder])?;
    let browser = open(390, 844)?;
    browser.emulate_phone(390, 844)?;
    browser.go(&relay.http_url())?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    browser.click("#view-bang")?;
    Ok((relay, browser))
}

/// A tenth of a second of 16-bit samples, in a format whose first 24 bytes are `format`.
fn wav(format: &[u8], channels: u16, rate: u32, value_bytes: u16) -> Vec<u8> {
    let frame_bytes = channels * value_bytes;
    let data = vec![0x11; usize::from(frame_bytes) * (rate / 10) as usize];
    let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    file.extend_from_slice(&(format.len() as u32).to_le_bytes());
    file.extend_from_slice(format);
    file.extend_from_slice(b"data");
    // The length that ffmpeg writes into a pipe.
    file.extend_from_slice(&u32::MAX.to_le_bytes());
    file.extend_from_slice(&data);
    file
}

/// The first 16 bytes of a `fmt ` chunk.
fn format(tag: u16, channels: u16, rate: u32, bits: u16, value_bytes: u16) -> Vec<u8> {
    let frame_bytes = channels * value_bytes;
    let mut format = [tag, channels].map(u16::to_le_bytes).concat();
    format.extend_from_slice(&rate.to_le_bytes());
    format.extend_from_slice(&(rate * u32::from(frame_bytes)).to_le_bytes());
    format.extend_from_slice(&frame_bytes.to_le_bytes());
    format.extend_from_slice(&bits.to_le_bytes());
    format
}

#[test]
fn the_page_plays_formats_that_browsers_do_not_decode() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let put = |name: &str, file: &[u8]| std::fs::write(folder.path().join(name), file);
    put("slow.wav", &wav(&format(1, 1, 1000, 16, 2), 1, 1000, 2))?;
    put("fast.wav", &wav(&format(1, 2, 768_000, 24, 3), 2, 768_000, 3))?;
    put("double.wav", &wav(&format(3, 1, 48_000, 64, 8), 1, 48_000, 8))?;
    put("right-aligned.wav", &wav(&format(1, 1, 48_000, 24, 4), 1, 48_000, 4))?;
    put("seven.wav", &wav(&format(1, 7, 44_100, 16, 2), 7, 44_100, 2))?;
    let (_relay, browser) = join(folder.path())?;
    for sound in ["slow", "fast", "double", "right-aligned", "seven"] {
        browser.wait_for(&format!("#sound label[data-sound={sound}]:not(.missing)"))?;
        let before = sounded(&browser)?;
        browser.click(&format!("#sound label[data-sound={sound}]"))?;
        wait_until(&format!("{sound} is sounded"), || {
            // A trigger before the page can sound is over by then.
            browser.click("#bang")?;
            Ok(sounded(&browser)? > before)
        })?;
    }
    Ok(())
}

#[test]
fn a_phone_plays_any_of_two_thousand_sounds() -> Result<()> {
    const SOUNDS: usize = 2000;
    let folder = tempfile::tempdir()?;
    // Small on disk, and together three times what the page prefetches.
    let file = wav(&format(1, 1, 8000, 8, 1), 1, 8000, 1);
    let longer = [file.as_slice(), &[0x80; 5000]].concat();
    for number in 0..SOUNDS {
        // All differ: equal files are fetched once.
        let end = (number as u32).to_le_bytes();
        let sound = [longer.as_slice(), &end].concat();
        std::fs::write(folder.path().join(format!("shot {number:04}.wav")), sound)?;
    }
    let (_relay, browser) = join(folder.path())?;
    let count = |what: &str| -> Result<u64> {
        let count = browser.run(&format!("return document.querySelectorAll('{what}').length"))?;
        count.as_u64().context("a count is a number")
    };
    wait_until("the list is shown", || Ok(count("#sound label")? == SOUNDS as u64))?;
    wait_until("the prefetch is over", || Ok(count("#sound label:not(.missing)")? > 400))?;
    picture(&browser, "page-many.png")?;
    browser.run(
        "const search = document.querySelector('#search');
         search.value = '1999';
         search.dispatchEvent(new Event('input'));",
    )?;
    assert_eq!(count("#sound label:not([hidden])")?, 1);
    assert_eq!(count("#sound label.missing:not([hidden])")?, 1, "it was prefetched");
    browser.click("#sound label:not([hidden])")?;
    wait_until("it is sounded", || {
        browser.click("#bang")?;
        Ok(sounded(&browser)? > 0.0)
    })?;
    assert!(count("#sound label:not(.missing)")? < 1000, "too many sounds in memory");
    picture(&browser, "page-many-found.png")
}

fn picture(browser: &Browser, name: &str) -> Result<()> {
    pictures_folder()?.map_or(Ok(()), |folder| browser.screenshot(&folder.join(name)))
}

/// How many triggers the page has sounded.
fn sounded(browser: &Browser) -> Result<f64> {
    let count = browser.run("return Number(document.querySelector('#bang').dataset.flashes)")?;
    count.as_f64().context("a count is a number")
}

fn wait_until(what: &str, is_true: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_true()? {
        ensure!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
