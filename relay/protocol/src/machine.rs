//! Machines: what the relay keeps about a client beyond its connection.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{client::ClientId, name};

/// Identifies a machine over connections and restarts. It is random and secret: the relay tells it to nobody.
///
/// On the wire it is thirty-two hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u128);

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secret: who knows it is that machine.
        f.write_str("MachineId(..)")
    }
}

impl Serialize for MachineId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for MachineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(D::Error::custom("a machine is thirty-two hexadecimal digits"));
        }
        u128::from_str_radix(&text, 16).map(Self).map_err(D::Error::custom)
    }
}

/// A request to change what the relay keeps about a client's machine. Absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignRequest {
    /// The clients.
    pub clients: Vec<ClientId>,
    /// Their seat, 1 to 9999; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u16>,
    /// Their tags.
    #[serde(
        default,
        deserialize_with = "name::read_list_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tags: Option<Vec<String>>,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}
