//! The page: the files of `relay/page`, embedded in the binary.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::text::hex;

/// A file of the page.
#[derive(Debug)]
pub struct PageFile {
    /// The path at which it is served.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub content: &'static [u8],
    /// Its `ETag`, quotes included.
    pub etag: String,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($path:literal $kind:ident $file:literal)*) => {
        &[$(($path, $kind, include_bytes!(concat!("../../page/", $file)).as_slice())),*]
    };
}

/// Every file of the page: its path, its content type, and its name in `relay/page`.
const FILES: &[(&str, &str, &[u8])] = files! {
    "/"                   HTML "index.html"
    "/style.css"          CSS  "style.css"
    "/instrument.css"     CSS  "instrument.css"
    "/sounds.css"         CSS  "sounds.css"
    "/gate.css"           CSS  "gate.css"
    "/room.css"           CSS  "room.css"
    "/layout.css"         CSS  "layout.css"
    "/icon.svg"           SVG  "icon.svg"
    "/main.js"            JS   "main.js"
    "/access.js"          JS   "access.js"
    "/audio.js"           JS   "audio.js"
    "/bang.js"            JS   "bang.js"
    "/bank.js"            JS   "bank.js"
    "/clock.js"           JS   "clock.js"
    "/connection.js"      JS   "connection.js"
    "/decode.js"          JS   "decode.js"
    "/decode-worker.js"   JS   "decode-worker.js"
    "/decoder.js"         JS   "decoder.js"
    "/downmix.js"         JS   "downmix.js"
    "/flash.js"           JS   "flash.js"
    "/gate.js"            JS   "gate.js"
    "/lead.js"            JS   "lead.js"
    "/messages.js"        JS   "messages.js"
    "/pan.js"             JS   "pan.js"
    "/player.js"          JS   "player.js"
    "/protocol.js"        JS   "protocol.js"
    "/resample.js"        JS   "resample.js"
    "/room.js"            JS   "room.js"
    "/schedule.js"        JS   "schedule.js"
    "/servo.js"           JS   "servo.js"
    "/settings.js"        JS   "settings.js"
    "/sound-list.js"      JS   "sound-list.js"
    "/standing.js"        JS   "standing.js"
    "/ui.js"              JS   "ui.js"
    "/wav.js"             JS   "wav.js"
};

static PAGE: LazyLock<Vec<PageFile>> = LazyLock::new(|| {
    let file = |&(path, content_type, content): &(&'static str, &'static str, &'static [u8])| {
        let etag = format!("\"{}\"", &hex(&Sha256::digest(content))[..16]);
        PageFile { path, content_type, content, etag }
    };
    FILES.iter().map(file).collect()
});

/// The file that is served at `path`.
#[must_use]
pub fn file(path: &str) -> Option<&'static PageFile> {
    let path = if path == "/index.html" { "/" } else { path };
    PAGE.iter().find(|file| file.path == path)
}
