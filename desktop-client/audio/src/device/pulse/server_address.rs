//! The address of a sound server, in every form that PulseAudio's own clients accept.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use socket2::Socket;

/// The default port.
const DEFAULT_PORT: u16 = 4713;

/// A server that does not accept a connection within this time counts as absent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerAddress {
    /// The path of a socket on this machine.
    Unix(PathBuf),
    /// A host and a port.
    Tcp { host: String, port: u16, family: Family },
}

/// The addresses of a host to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

impl ServerAddress {
    /// Parses a list of addresses, separated by spaces. Omits malformed ones, and those for another machine
    /// than this one, whose names are `here`.
    pub(super) fn read_list(list: &str, here: &[String]) -> Vec<Self> {
        list.split_whitespace().filter_map(|address| Self::read(address, here)).collect()
    }

    fn read(address: &str, here: &[String]) -> Option<Self> {
        let address = match address.strip_prefix('{') {
            Some(rest) => {
                let (machine, address) = rest.split_once('}')?;
                here.iter().any(|name| name == machine).then_some(address)?
            }
            None => address,
        };
        if let Some(path) = address.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(path.into()));
        }
        if address.starts_with('/') {
            return Some(Self::Unix(address.into()));
        }
        // For PulseAudio, `tcp:` is IPv4 only. A host that has only an IPv6 address is accepted too.
        let families = [
            ("tcp:", Family::Any),
            ("tcp4:", Family::V4),
            ("tcp6:", Family::V6),
            ("", Family::Any),
        ];
        let (host, family) = families
            .into_iter()
            .find_map(|(prefix, family)| Some((address.strip_prefix(prefix)?, family)))?;
        let (host, port) = read_host(host)?;
        (!host.is_empty()).then(|| Self::Tcp { host: host.to_owned(), port, family })
    }

    /// Connects to it.
    pub(super) fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).map(Socket::from),
            Self::Tcp { host, port, family } => {
                let mut failed = io::ErrorKind::AddrNotAvailable.into();
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    if !family.has(address) {
                        continue;
                    }
                    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(stream.into());
                        }
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            }
        }
    }
}

impl Family {
    fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Parses `HOST`, `HOST:PORT`, `[HOST]` or `[HOST]:PORT`. A bare IPv6 address is a host.
fn read_host(text: &str) -> Option<(&str, u16)> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, DEFAULT_PORT));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (host, port)
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    Some((host, port))
}

/// In a form that can be parsed.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port, family } => {
                let prefix = match family {
                    Family::Any => "tcp",
                    Family::V4 => "tcp4",
                    Family::V6 => "tcp6",
                };
                match host.parse() {
                    Ok(IpAddr::V6(host)) => write!(f, "{prefix}:[{host}]:{port}"),
                    _ => write!(f, "{prefix}:{host}:{port}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Vec<ServerAddress> {
        ServerAddress::read_list(list, &["0123abcd".to_owned(), "stage-left".to_owned()])
    }

    fn unix(path: &str) -> ServerAddress {
        ServerAddress::Unix(path.into())
    }

    fn tcp(host: &str, port: u16, family: Family) -> ServerAddress {
        ServerAddress::Tcp { host: host.to_owned(), port, family }
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, address) in [
            ("unix:/run/pulse/native", unix("/run/pulse/native")),
            ("/run/pulse/native", unix("/run/pulse/native")),
            ("tcp:studio:4714", tcp("studio", 4714, Family::Any)),
            ("tcp:studio", tcp("studio", 4713, Family::Any)),
            ("tcp4:10.0.0.2", tcp("10.0.0.2", 4713, Family::V4)),
            ("tcp6:[fe80::1]:5000", tcp("fe80::1", 5000, Family::V6)),
            ("tcp6:fe80::1", tcp("fe80::1", 4713, Family::V6)),
            ("[::1]", tcp("::1", 4713, Family::Any)),
            ("::1", tcp("::1", 4713, Family::Any)),
            ("studio.lan", tcp("studio.lan", 4713, Family::Any)),
            ("studio.lan:5000", tcp("studio.lan", 5000, Family::Any)),
            ("{0123abcd}unix:/run/native", unix("/run/native")),
            ("{stage-left}/run/native", unix("/run/native")),
            ("{0123abcd}tcp:localhost:1", tcp("localhost", 1, Family::Any)),
        ] {
            assert_eq!(read(text), [address], "{text}");
        }
    }

    #[test]
    fn a_list_is_read_in_order_without_what_is_meant_for_other_machines() {
        assert_eq!(
            read(" {ffff}unix:/tmp/other  {0123abcd}unix:/tmp/mine\ttcp:studio:4713 "),
            [unix("/tmp/mine"), tcp("studio", 4713, Family::Any)]
        );
    }

    #[test]
    fn an_address_without_a_meaning_is_left_out() {
        for text in ["unix:", "tcp:", "{0123abcd", "{0123abcd}", "[::1", "[::1]4713", "studio:loud"]
        {
            assert_eq!(read(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["unix:/run/native", "tcp4:studio:1", "tcp6:[::1]:2", "tcp:10.0.0.2:4713"] {
            assert_eq!(read(text)[0].to_string(), text);
        }
    }
}
