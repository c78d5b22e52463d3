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
    "/"                           HTML "index.html"
    "/icon.svg"                   SVG  "icon.svg"
    "/style/base.css"             CSS  "style/base.css"
    "/style/instrument.css"       CSS  "style/instrument.css"
    "/style/sounds.css"           CSS  "style/sounds.css"
    "/style/token-form.css"       CSS  "style/token-form.css"
    "/style/room.css"             CSS  "style/room.css"
    "/style/layout.css"           CSS  "style/layout.css"
    "/main.js"                    JS   "main.js"
    "/audio/audio-output.js"      JS   "audio/audio-output.js"
    "/audio/output-clock.js"      JS   "audio/output-clock.js"
    "/audio/pan.js"               JS   "audio/pan.js"
    "/audio/placement.js"         JS   "audio/placement.js"
    "/audio/servo.js"             JS   "audio/servo.js"
    "/bank/decode-worker.js"      JS   "bank/decode-worker.js"
    "/bank/decode.js"             JS   "bank/decode.js"
    "/bank/decoder.js"            JS   "bank/decoder.js"
    "/bank/downmix.js"            JS   "bank/downmix.js"
    "/bank/resample.js"           JS   "bank/resample.js"
    "/bank/sound-bank.js"         JS   "bank/sound-bank.js"
    "/bank/wav.js"                JS   "bank/wav.js"
    "/clock/delay-quantile.js"    JS   "clock/delay-quantile.js"
    "/clock/estimator.js"         JS   "clock/estimator.js"
    "/clock/fit.js"               JS   "clock/fit.js"
    "/net/admission.js"           JS   "net/admission.js"
    "/net/back-off.js"            JS   "net/back-off.js"
    "/net/connection.js"          JS   "net/connection.js"
    "/protocol/messages.js"       JS   "protocol/messages.js"
    "/protocol/names.js"          JS   "protocol/names.js"
    "/protocol/shapes.js"         JS   "protocol/shapes.js"
    "/protocol/token.js"          JS   "protocol/token.js"
    "/session/actions.js"         JS   "session/actions.js"
    "/session/admission-check.js" JS   "session/admission-check.js"
    "/session/lead.js"            JS   "session/lead.js"
    "/session/output-watch.js"    JS   "session/output-watch.js"
    "/session/reporter.js"        JS   "session/reporter.js"
    "/session/session.js"         JS   "session/session.js"
    "/session/voice-scheduler.js" JS   "session/voice-scheduler.js"
    "/state/cues.js"              JS   "state/cues.js"
    "/state/room.js"              JS   "state/room.js"
    "/state/settings.js"          JS   "state/settings.js"
    "/state/sync-status.js"       JS   "state/sync-status.js"
    "/state/units.js"             JS   "state/units.js"
    "/ui/bang-button.js"          JS   "ui/bang-button.js"
    "/ui/cover.js"                JS   "ui/cover.js"
    "/ui/dom.js"                  JS   "ui/dom.js"
    "/ui/flash-limit.js"          JS   "ui/flash-limit.js"
    "/ui/level-meter.js"          JS   "ui/level-meter.js"
    "/ui/machine.js"              JS   "ui/machine.js"
    "/ui/roster.js"               JS   "ui/roster.js"
    "/ui/sound-list.js"           JS   "ui/sound-list.js"
    "/ui/status-line.js"          JS   "ui/status-line.js"
    "/ui/token-form.js"           JS   "ui/token-form.js"
    "/ui/ui.js"                   JS   "ui/ui.js"
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
