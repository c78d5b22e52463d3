//! The page: the files of `relay/page`, embedded in the binary.

use std::{io::Write as _, sync::LazyLock};

use flate2::{Compression, write::GzEncoder};
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
    /// Its content with gzip.
    pub compressed: Vec<u8>,
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
    "/style/tokens.css"           CSS  "style/tokens.css"
    "/style/base.css"             CSS  "style/base.css"
    "/style/icons.css"            CSS  "style/icons.css"
    "/style/controls.css"         CSS  "style/controls.css"
    "/style/bar.css"              CSS  "style/bar.css"
    "/style/bang.css"             CSS  "style/bang.css"
    "/style/pads.css"             CSS  "style/pads.css"
    "/style/side.css"             CSS  "style/side.css"
    "/style/sounds.css"           CSS  "style/sounds.css"
    "/style/token-form.css"       CSS  "style/token-form.css"
    "/style/panel.css"            CSS  "style/panel.css"
    "/style/room.css"             CSS  "style/room.css"
    "/style/console.css"          CSS  "style/console.css"
    "/style/plan.css"             CSS  "style/plan.css"
    "/style/receipts.css"         CSS  "style/receipts.css"
    "/style/joining.css"          CSS  "style/joining.css"
    "/style/bank.css"             CSS  "style/bank.css"
    "/style/uploads.css"          CSS  "style/uploads.css"
    "/style/identify.css"         CSS  "style/identify.css"
    "/style/layout.css"           CSS  "style/layout.css"
    "/main.js"                    JS   "main.js"
    "/audio/audio-output.js"      JS   "audio/audio-output.js"
    "/audio/output-clock.js"      JS   "audio/output-clock.js"
    "/audio/pan.js"               JS   "audio/pan.js"
    "/audio/param-line.js"        JS   "audio/param-line.js"
    "/audio/placement.js"         JS   "audio/placement.js"
    "/audio/servo.js"             JS   "audio/servo.js"
    "/audio/tone.js"              JS   "audio/tone.js"
    "/audio/voice.js"             JS   "audio/voice.js"
    "/automation/line.js"         JS   "automation/line.js"
    "/bank/decode-worker.js"      JS   "bank/decode-worker.js"
    "/bank/decode.js"             JS   "bank/decode.js"
    "/bank/decoder.js"            JS   "bank/decoder.js"
    "/bank/downmix.js"            JS   "bank/downmix.js"
    "/bank/peaks.js"              JS   "bank/peaks.js"
    "/bank/resample.js"           JS   "bank/resample.js"
    "/bank/sound-bank.js"         JS   "bank/sound-bank.js"
    "/bank/wav.js"                JS   "bank/wav.js"
    "/clock/delay-quantile.js"    JS   "clock/delay-quantile.js"
    "/clock/estimator.js"         JS   "clock/estimator.js"
    "/clock/fit.js"               JS   "clock/fit.js"
    "/net/admission.js"           JS   "net/admission.js"
    "/net/back-off.js"            JS   "net/back-off.js"
    "/net/connection.js"          JS   "net/connection.js"
    "/net/join.js"                JS   "net/join.js"
    "/net/qr.js"                  JS   "net/qr.js"
    "/net/upload.js"              JS   "net/upload.js"
    "/protocol/fields.js"         JS   "protocol/fields.js"
    "/protocol/messages.js"       JS   "protocol/messages.js"
    "/protocol/names.js"          JS   "protocol/names.js"
    "/protocol/room-code.js"      JS   "protocol/room-code.js"
    "/protocol/shapes.js"         JS   "protocol/shapes.js"
    "/protocol/token.js"          JS   "protocol/token.js"
    "/session/actions.js"         JS   "session/actions.js"
    "/session/admission-check.js" JS   "session/admission-check.js"
    "/session/conductor.js"       JS   "session/conductor.js"
    "/session/cue-lines.js"       JS   "session/cue-lines.js"
    "/session/lead.js"            JS   "session/lead.js"
    "/session/lights.js"          JS   "session/lights.js"
    "/session/outcomes.js"        JS   "session/outcomes.js"
    "/session/output-watch.js"    JS   "session/output-watch.js"
    "/session/own-machine.js"     JS   "session/own-machine.js"
    "/session/presence.js"        JS   "session/presence.js"
    "/session/reporter.js"        JS   "session/reporter.js"
    "/session/requests.js"        JS   "session/requests.js"
    "/session/room-watch.js"      JS   "session/room-watch.js"
    "/session/session.js"         JS   "session/session.js"
    "/session/set-stream.js"      JS   "session/set-stream.js"
    "/session/uploads.js"         JS   "session/uploads.js"
    "/session/variable-watch.js"  JS   "session/variable-watch.js"
    "/session/voice-scheduler.js" JS   "session/voice-scheduler.js"
    "/session/wake-lock.js"       JS   "session/wake-lock.js"
    "/state/bindings.js"          JS   "state/bindings.js"
    "/state/cue.js"               JS   "state/cue.js"
    "/state/cues.js"              JS   "state/cues.js"
    "/state/expected.js"          JS   "state/expected.js"
    "/state/fader.js"             JS   "state/fader.js"
    "/state/hand.js"              JS   "state/hand.js"
    "/state/held-value.js"        JS   "state/held-value.js"
    "/state/machine-edit.js"      JS   "state/machine-edit.js"
    "/state/machine-list.js"      JS   "state/machine-list.js"
    "/state/machines.js"          JS   "state/machines.js"
    "/state/pad-keys.js"          JS   "state/pad-keys.js"
    "/state/plan.js"              JS   "state/plan.js"
    "/state/readiness.js"         JS   "state/readiness.js"
    "/state/receipts.js"          JS   "state/receipts.js"
    "/state/rights.js"            JS   "state/rights.js"
    "/state/room.js"              JS   "state/room.js"
    "/state/search.js"            JS   "state/search.js"
    "/state/seen-numbers.js"      JS   "state/seen-numbers.js"
    "/state/selection.js"         JS   "state/selection.js"
    "/state/settings.js"          JS   "state/settings.js"
    "/state/sound-files.js"       JS   "state/sound-files.js"
    "/state/sync-status.js"       JS   "state/sync-status.js"
    "/state/target.js"            JS   "state/target.js"
    "/state/trouble.js"           JS   "state/trouble.js"
    "/state/units.js"             JS   "state/units.js"
    "/state/variables.js"         JS   "state/variables.js"
    "/state/volume.js"            JS   "state/volume.js"
    "/ui/bang-button.js"          JS   "ui/bang-button.js"
    "/ui/bank-view.js"            JS   "ui/bank-view.js"
    "/ui/console.js"              JS   "ui/console.js"
    "/ui/cover.js"                JS   "ui/cover.js"
    "/ui/dom.js"                  JS   "ui/dom.js"
    "/ui/drop-zone.js"            JS   "ui/drop-zone.js"
    "/ui/fader.js"                JS   "ui/fader.js"
    "/ui/field-keys.js"           JS   "ui/field-keys.js"
    "/ui/fields.js"               JS   "ui/fields.js"
    "/ui/flash-limit.js"          JS   "ui/flash-limit.js"
    "/ui/hand-strip.js"           JS   "ui/hand-strip.js"
    "/ui/identify.js"             JS   "ui/identify.js"
    "/ui/join-panel.js"           JS   "ui/join-panel.js"
    "/ui/level-meter.js"          JS   "ui/level-meter.js"
    "/ui/machine-row.js"          JS   "ui/machine-row.js"
    "/ui/machine.js"              JS   "ui/machine.js"
    "/ui/pad.js"                  JS   "ui/pad.js"
    "/ui/pads.js"                 JS   "ui/pads.js"
    "/ui/plan.js"                 JS   "ui/plan.js"
    "/ui/rail.js"                 JS   "ui/rail.js"
    "/ui/receipt-list.js"         JS   "ui/receipt-list.js"
    "/ui/room-view.js"            JS   "ui/room-view.js"
    "/ui/roster.js"               JS   "ui/roster.js"
    "/ui/selection-panel.js"      JS   "ui/selection-panel.js"
    "/ui/sound-editor.js"         JS   "ui/sound-editor.js"
    "/ui/sound-list.js"           JS   "ui/sound-list.js"
    "/ui/sound-order.js"          JS   "ui/sound-order.js"
    "/ui/sound-row.js"            JS   "ui/sound-row.js"
    "/ui/status-line.js"          JS   "ui/status-line.js"
    "/ui/tag-editor.js"           JS   "ui/tag-editor.js"
    "/ui/theme.js"                JS   "ui/theme.js"
    "/ui/token-form.js"           JS   "ui/token-form.js"
    "/ui/ui.js"                   JS   "ui/ui.js"
    "/ui/upload-list.js"          JS   "ui/upload-list.js"
    "/ui/variable-control.js"     JS   "ui/variable-control.js"
    "/ui/variable-panel.js"       JS   "ui/variable-panel.js"
    "/ui/views.js"                JS   "ui/views.js"
    "/ui/virtual-list.js"         JS   "ui/virtual-list.js"
    "/ui/volume.js"               JS   "ui/volume.js"
    "/ui/waveform.js"             JS   "ui/waveform.js"
};

static PAGE: LazyLock<Vec<PageFile>> = LazyLock::new(|| {
    let file = |&(path, content_type, content): &(&'static str, &'static str, &'static [u8])| {
        let etag = format!("\"{}\"", &hex(&Sha256::digest(content))[..16]);
        PageFile { path, content_type, content, compressed: compress(content), etag }
    };
    FILES.iter().map(file).collect()
});

fn compress(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A vector takes all that is written. If not, the files are served as they are.
    encoder.write_all(content).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Compresses all files. It takes some hundredths of a second, in which a relay that serves would delay triggers.
pub(crate) fn prepare() {
    LazyLock::force(&PAGE);
}

/// The file that is served at `path`.
#[must_use]
pub fn file(path: &str) -> Option<&'static PageFile> {
    let path = if path == "/index.html" { "/" } else { path };
    PAGE.iter().find(|file| file.path == path)
}
