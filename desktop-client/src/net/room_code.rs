//! The room code: eight digits that a person types instead of a token.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    address::RelayAddress,
    credentials::Token,
    http::{self, reason},
    websocket::ConnectionError,
};

const DIGITS: usize = 8;

/// How long it may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Most of an answer that is read: a token is shorter.
const MAX_ANSWER_BYTES: u64 = 1 << 10;

/// A room code. It is never logged: whoever knows it can join.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomCode(String);

/// A text is not a room code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a room code has eight digits")]
pub struct RoomCodeError;

impl FromStr for RoomCode {
    type Err = RoomCodeError;

    /// Accepts the blanks and dashes that people put between digits. With dots it would be an address.
    fn from_str(text: &str) -> Result<Self, RoomCodeError> {
        let is_separator = |c: char| c.is_whitespace() || matches!(c, '·' | '-' | '–');
        let digits: String = text.chars().filter(|c| !is_separator(*c)).collect();
        let is_code = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        is_code.then_some(Self(digits)).ok_or(RoomCodeError)
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCode")
    }
}

/// Why a room code lets nobody in, for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The relay has another code.
    #[error("this is not the room code")]
    Wrong,
    /// There were too many wrong codes, or requests.
    #[error("too many room codes came from this network: wait a minute")]
    TooMany,
    /// The relay needs no token, and so has no code.
    #[error("this relay has no room code: connect to its address without one")]
    NoCode,
    /// The relay cannot be reached, or answered with something else.
    #[error("the relay cannot check the room code: {0}")]
    Failed(String),
}

/// Exchanges the code for a player's token at the first of the addresses that answers. Returns that address with the
/// token. Blocks until then, for [`TIMEOUT`] at most.
///
/// # Errors
/// If the relay does not accept the code, or no address answers.
pub(crate) fn exchange(
    code: &RoomCode,
    addresses: &[RelayAddress],
) -> Result<RelayAddress, ExchangeError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut outcome = Err(ExchangeError::Failed("it has no address".to_owned()));
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        outcome = exchange_at(code, address, left);
        // At another address of the machine, another server may answer.
        if !matches!(outcome, Err(ExchangeError::Failed(_) | ExchangeError::NoCode)) {
            break;
        }
    }
    outcome
}

fn exchange_at(
    code: &RoomCode,
    address: &RelayAddress,
    timeout: Duration,
) -> Result<RelayAddress, ExchangeError> {
    let failed = |error: &ureq::Error| ExchangeError::Failed(reason(error));
    let refused = |error: ConnectionError| ExchangeError::Failed(error.to_string());
    let config = http::config().timeout_global(Some(timeout));
    let mut url = address.http().clone();
    url.set_path(&format!("{}join", url.path()));
    let sent = http::agent(config, address).post(url.as_str()).send(&code.0);
    let mut response = sent.map_err(|error| failed(&error))?;
    match response.status().as_u16() {
        200 => {}
        403 => return Err(ExchangeError::Wrong),
        404 => return Err(ExchangeError::NoCode),
        429 => return Err(ExchangeError::TooMany),
        421 => return Err(refused(ConnectionError::name_not_allowed(address))),
        426 => return Err(refused(ConnectionError::TlsOnly)),
        status => return Err(ExchangeError::Failed(format!("HTTP {status}"))),
    }
    let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
    let token = body.map_err(|error| failed(&error))?.parse::<Token>().ok();
    match token.filter(Token::is_valid) {
        Some(token) => Ok(address.clone().with_token(token)),
        None => Err(ExchangeError::Failed("its answer is not a token".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    #[test]
    fn eight_digits_are_a_code_however_people_write_them() {
        let code = |text: &str| text.parse::<RoomCode>();
        for text in ["48271963", " 4827 1963 ", "4827-1963", "4827\u{a0}1963"] {
            assert_eq!(code(text), Ok(RoomCode("48271963".to_owned())), "{text:?}");
        }
        for text in ["", "4827196", "482719633", "4827196a", "١٢٣٤٥٦٧٨", "lab:4827", "192.168.1.5"]
        {
            assert_eq!(code(text), Err(RoomCodeError), "{text:?}");
        }
        assert!(!format!("{:?}", code("48271963")).contains("4827"));
    }

    /// A server that gives each connection this answer.
    fn server(status: &str, body: &'static str) -> RelayAddress {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 1024];
                while !request.ends_with(b"48271963") {
                    let count = stream.read(&mut piece).unwrap();
                    assert_ne!(count, 0, "the request ended early");
                    request.extend(&piece[..count]);
                }
                assert!(request.starts_with(b"POST /join "), "another request");
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        address
    }

    #[test]
    fn the_first_address_that_answers_gives_a_token() {
        let code = "4827 1963".parse().unwrap();
        // Nothing listens on a port that was just closed.
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let closed: RelayAddress = closed.to_string().parse().unwrap();
        let relay = server("200 OK", "s3cret");
        let joined = exchange(&code, &[closed.clone(), relay.clone()]).unwrap();
        assert_eq!(joined.link(), format!("{relay}#token=s3cret"));
        let reason = exchange(&code, &[closed]).unwrap_err().to_string();
        assert!(reason.starts_with("the relay cannot check the room code"), "{reason}");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let code = "48271963".parse().unwrap();
        for (status, expected) in [
            ("403 Forbidden", ExchangeError::Wrong),
            ("404 Not Found", ExchangeError::NoCode),
            ("429 Too Many Requests", ExchangeError::TooMany),
            ("500 Internal Server Error", ExchangeError::Failed("HTTP 500".to_owned())),
        ] {
            assert_eq!(exchange(&code, &[server(status, "")]), Err(expected), "{status}");
        }
        for (status, advice) in [
            ("421 Misdirected Request", "use its numeric address"),
            ("426 Upgrade Required", "use https://"),
        ] {
            let error = exchange(&code, &[server(status, "")]).unwrap_err().to_string();
            assert!(error.contains(advice), "{error}");
        }
        let answered = exchange(&code, &[server("200 OK", "two words")]);
        assert!(matches!(answered, Err(ExchangeError::Failed(_))), "{answered:?}");
    }
}
