//! What each request requires: the one table of rights, for both wires and for HTTP.
//!
//! Pure. It knows no clients and no tokens: the caller says what a client may do, at the time of its request,
//! and whether the room is locked.

use downbeat_protocol::{
    AssignRequest, ClientId, ClientToRelay, ErrorCode, Refusal, Rights, SetRequest, WatchRequest,
};

/// What is asked for over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpRequest {
    /// A file of the page.
    Page,
    /// The file of a sound.
    Sound,
    /// Whether a WebSocket would be accepted.
    Access,
    /// A token, for the room code.
    Join,
    /// A QR code.
    QrCode,
    /// To send a file.
    Upload,
    /// Whether the relay runs.
    Status,
    /// Also how it does, and who is there.
    Health,
    /// Its metrics.
    Metrics,
    /// A WebSocket, on either wire.
    WebSocket,
    /// What does not exist.
    Unknown,
}

/// What a request requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Required {
    /// These rights, or more. `None`: not even a token, where one is needed.
    rights: Option<Rights>,
    /// Only conductors may do it in a room that is locked.
    is_locked_out: bool,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It requires these rights, and the client has fewer.
    NotAllowed(Rights),
    /// The room is locked.
    Locked,
}

impl Required {
    const NOTHING: Self = Self { rights: None, is_locked_out: false };
    const LISTENER: Self = Self { rights: Some(Rights::Listener), is_locked_out: false };
    const CONDUCTOR: Self = Self { rights: Some(Rights::Conductor), is_locked_out: false };
    /// To make the room sound.
    const PLAYER: Self = Self { rights: Some(Rights::Player), is_locked_out: true };

    /// What a message of `downbeat.v1` requires from the client `from`. `is_open` tells whether a variable is
    /// open to players.
    pub(crate) fn by_message(
        message: &ClientToRelay,
        from: ClientId,
        is_open: impl FnOnce(&str) -> bool,
    ) -> Self {
        match message {
            ClientToRelay::Hello(_)
            | ClientToRelay::Probe(_)
            | ClientToRelay::Report(_)
            | ClientToRelay::Outcomes(_)
            | ClientToRelay::Watch(WatchRequest { room: false, .. }) => Self::LISTENER,
            ClientToRelay::Trigger(_) | ClientToRelay::Stop(_) => Self::PLAYER,
            ClientToRelay::Set(SetRequest { name, .. }) if is_open(name) => Self::PLAYER,
            ClientToRelay::Assign(request) if is_own(request, from) => Self::LISTENER,
            ClientToRelay::Set(_)
            | ClientToRelay::Declare(_)
            | ClientToRelay::Remove(_)
            | ClientToRelay::Assign(_)
            | ClientToRelay::Forget(_)
            | ClientToRelay::Command(_)
            | ClientToRelay::Lock(_)
            | ClientToRelay::Watch(WatchRequest { room: true, .. })
            | ClientToRelay::Upload(_)
            | ClientToRelay::EditSounds(_) => Self::CONDUCTOR,
        }
    }

    /// What the `trigger-input` of the tutorial wire requires.
    pub(crate) fn by_tutorial_trigger() -> Self {
        Self::PLAYER
    }

    /// What a request over HTTP requires, by the token that it presents.
    pub(crate) fn by_http(request: HttpRequest) -> Self {
        match request {
            // The page contains no secret, and only who was admitted knows the hash of a sound. Who joins by
            // the room code has no token yet. A QR code contains what the client itself has sent.
            // The path of an upload is known only to the client that was allowed it.
            HttpRequest::Page
            | HttpRequest::Sound
            | HttpRequest::Join
            | HttpRequest::QrCode
            | HttpRequest::Upload
            | HttpRequest::Status
            | HttpRequest::Unknown => Self::NOTHING,
            HttpRequest::Access
            | HttpRequest::WebSocket
            | HttpRequest::Health
            | HttpRequest::Metrics => Self::LISTENER,
        }
    }

    /// Whether a client with these rights may do it; `None` without the token that is needed.
    ///
    /// # Errors
    /// If it may not.
    pub(crate) fn check(self, rights: Option<Rights>, is_locked: bool) -> Result<(), Denied> {
        let Some(required) = self.rights else { return Ok(()) };
        if rights < Some(required) {
            return Err(Denied::NotAllowed(required));
        }
        if self.is_locked_out && is_locked && rights < Some(Rights::Conductor) {
            return Err(Denied::Locked);
        }
        Ok(())
    }
}

/// Whether a client asks for what it may always change: how its own machine is called and sounds.
fn is_own(request: &AssignRequest, from: ClientId) -> bool {
    // All fields by name, so that the compiler asks about a new one.
    let AssignRequest {
        clients,
        machines,
        name: _,
        seat,
        place,
        tags,
        volume_db: _,
        muted: _,
        extra_latency_micros: _,
        rights,
        ack: _,
    } = request;
    let is_alone =
        machines.is_empty() && !clients.is_empty() && clients.iter().all(|id| *id == from);
    is_alone && seat.is_none() && place.is_none() && tags.is_none() && rights.is_none()
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let (code, message) = match denied {
            Denied::NotAllowed(required) => {
                let message = format!(
                    "this requires the rights of a {}: follow a link that gives them, or ask who runs the \
                     room for them",
                    name(required)
                );
                (ErrorCode::NotAllowed, message)
            }
            Denied::Locked => {
                let message = "the room is locked: only conductors bang, stop and set";
                (ErrorCode::Locked, message.to_owned())
            }
        };
        Self { code, message, ack: None }
    }
}

fn name(rights: Rights) -> &'static str {
    match rights {
        Rights::Listener => "listener",
        Rights::Player => "player",
        Rights::Conductor => "conductor",
    }
}

#[cfg(test)]
mod tests;
