//! Files on their way to the relay's bank.

/// What happened to an upload.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadUpdate {
    /// Its number on this machine.
    pub id: u64,
    /// Name of the file, without its folder.
    pub file: String,
    /// How far it is.
    pub progress: UploadProgress,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq)]
pub enum UploadProgress {
    /// It waits for those before it.
    Waiting,
    /// The file is being checked.
    Checking,
    /// It is being sent.
    Sending {
        /// Bytes that are sent.
        sent: u64,
        /// Bytes of the file.
        bytes: u64,
    },
    /// All of it is sent; the relay decodes it.
    Decoding,
    /// It is in the bank.
    Added {
        /// Name of the sound. The relay may have appended a number to it.
        sound: String,
        /// Its hash in the bank.
        hash: String,
    },
    /// It is not in the bank, and will not be.
    Failed {
        /// Why, and what to do, for people.
        reason: String,
    },
}
