//! How a request is refused.

use downbeat_protocol::{ErrorCode, InvalidValue, Refusal};

/// A refusal. Whoever sends it adds the `ack` of the request.
pub(crate) fn refusal(code: ErrorCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), ack: None }
}

/// The refusal of an invalid value.
#[allow(clippy::needless_pass_by_value)] // For `map_err`.
pub(crate) fn invalid(error: InvalidValue) -> Refusal {
    refusal(ErrorCode::InvalidValue, error.to_string())
}
