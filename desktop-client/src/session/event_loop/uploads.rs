//! The session's uploads: files from the window to the relay's bank.

use std::path::PathBuf;

use downbeat_protocol::{ClientToRelay, UploadReady};

use super::{
    super::protocol::Phase,
    session::{HelperEvent, Session},
};
use crate::{
    event::SessionEvent,
    sounds::{Upload, UploadEvent},
};

impl Session {
    /// Adds files.
    pub(super) fn upload(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            let update = self.uploads.add(path);
            self.emit(SessionEvent::Upload(update));
        }
        self.advance_uploads();
    }

    /// Cancels an upload, or removes one that has ended from what is shown.
    pub(super) fn cancel_upload(&mut self, id: u64) {
        self.uploads.cancel(id);
        self.emit(SessionEvent::UploadRemoved { id });
        self.advance_uploads();
    }

    /// Handles an event of an upload's thread.
    pub(super) fn upload_event(&mut self, id: u64, event: UploadEvent) {
        if let Some(update) = self.uploads.take(id, event) {
            self.emit(SessionEvent::Upload(update));
        }
        self.advance_uploads();
    }

    /// The relay says where a file is to be sent.
    pub(super) fn upload_ready(&mut self, UploadReady { ack, path }: UploadReady) {
        if let Some(relay) = self.connection.address()
            && let Some(upload) = self.uploads.ready(ack)
        {
            upload.send_to(relay.clone(), path);
        }
    }

    /// The relay refuses the request with this `ack`. Returns whether it was an upload's.
    pub(super) fn upload_refused(&mut self, ack: Option<u64>, reason: &str) -> bool {
        let Some(ack) = ack else { return false };
        let Some(update) = self.uploads.refused(Some(ack), reason) else { return false };
        self.emit(SessionEvent::Upload(update));
        self.advance_uploads();
        true
    }

    /// Begins with the next file, and asks the relay for what is wanted.
    pub(super) fn advance_uploads(&mut self) {
        while let Some(next) = self.uploads.take_next() {
            let (id, to_session) = (next.id, self.helper_sender.clone());
            let thread = Upload::start(next.path.clone(), move |event| {
                // Fails only when the session has ended.
                let _ = to_session.blocking_send(HelperEvent::Upload(id, event));
            });
            let thread = thread.map_err(|error| format!("the system gives no thread: {error}"));
            let update = self.uploads.begin(next, thread);
            self.emit(SessionEvent::Upload(update));
        }
        match self.protocol.phase() {
            Phase::V1(_) => {
                let ack = self.next_ack();
                if let Some(request) = self.uploads.take_request(ack, self.clock.now()) {
                    self.send(&ClientToRelay::Upload(request));
                }
            }
            Phase::Tutorial => {
                let reason = "a tutorial relay has one sound, and takes no others";
                if self.uploads.take_request(0, self.clock.now()).is_some()
                    && let Some(update) = self.uploads.refused(None, reason)
                {
                    self.emit(SessionEvent::Upload(update));
                    self.advance_uploads();
                }
            }
            // It is asked after the welcome.
            Phase::Disconnected | Phase::AwaitingWelcome { .. } => {}
        }
    }
}
