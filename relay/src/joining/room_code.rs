//! The room code: eight digits that a person types instead of a token.
//!
//! Pure: the caller passes the time. There are a hundred million codes. A stranger who guesses from one address
//! for a whole day finds it with a probability of 1 to 7000; from many addresses, or through a proxy on the relay's
//! machine, of 1 to 1150.

use std::{collections::VecDeque, io, net::IpAddr, time::Duration};

use downbeat_protocol::RelayTime;

/// How many digits it has.
const DIGITS: usize = 8;

/// How many wrong codes from one address are answered in [`WINDOW`]. A class that mistypes does not lock out
/// its own members, nor does a stranger. Connections from the relay's machine have no such limit: they may be those of
/// everyone, by a proxy.
const MAX_MISTAKES_PER_ADDRESS: usize = 10;

/// How many wrong codes are answered in [`WINDOW`] from all addresses together: a guesser may have many.
const MAX_MISTAKES: usize = 60;

/// The time in which mistakes are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// Why a code is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// It is another one.
    Wrong,
    /// There were too many wrong ones, from this address or from all. This one was not looked at.
    TooMany,
}

/// The code, and when wrong ones were last given.
pub(super) struct RoomCode {
    digits: String,
    /// When, and from which address. At most [`MAX_MISTAKES`].
    mistakes: VecDeque<(RelayTime, Option<IpAddr>)>,
}

impl std::fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secret.
        f.write_str("RoomCode(..)")
    }
}

impl RoomCode {
    /// A new code. Who knows other random numbers of the relay, such as its epoch, learns nothing about it.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn random() -> io::Result<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self::from_number(u64::from_le_bytes(bytes)))
    }

    fn from_number(number: u64) -> Self {
        let digits = format!("{:08}", number % 10_u64.pow(DIGITS as u32));
        Self { digits, mistakes: VecDeque::new() }
    }

    /// The code.
    pub(super) fn digits(&self) -> &str {
        &self.digits
    }

    /// Checks a code that came from this address; `None` is the relay's machine, or a proxy on it. White space in it does not
    /// count: people write it in groups.
    ///
    /// # Errors
    /// If it is wrong, or too many were wrong lately.
    pub(super) fn check(
        &mut self,
        code: &str,
        from: Option<IpAddr>,
        now: RelayTime,
    ) -> Result<(), Mistake> {
        self.mistakes.retain(|(at, _)| now.micros_since(*at) < WINDOW.as_micros() as i64);
        let is_from_here =
            |(_, address): &&(RelayTime, Option<IpAddr>)| from.is_some() && *address == from;
        let from_here = self.mistakes.iter().filter(is_from_here).count();
        if from_here >= MAX_MISTAKES_PER_ADDRESS || self.mistakes.len() >= MAX_MISTAKES {
            return Err(Mistake::TooMany);
        }
        let given = code.bytes().filter(|byte| !byte.is_ascii_whitespace());
        if self.is_same(given) {
            return Ok(());
        }
        self.mistakes.push_back((now, from));
        Err(Mistake::Wrong)
    }

    /// Compares all digits, however many are right.
    fn is_same(&self, mut given: impl Iterator<Item = u8>) -> bool {
        let own = self.digits.bytes();
        // The byte 0 is no digit, and stands for a missing one.
        let differ = own.fold(0, |differ, digit| differ | (digit ^ given.next().unwrap_or(0)));
        std::hint::black_box(differ) == 0 && given.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from([192, 168, 1, host])
    }

    #[test]
    fn a_code_has_eight_digits_and_differs_each_time() {
        let codes: Vec<_> = (0..8).map(|_| RoomCode::random().unwrap().digits).collect();
        assert!(
            codes.iter().all(|code| code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()))
        );
        assert!(codes[1..].iter().any(|code| *code != codes[0]));
        assert_eq!(RoomCode::from_number(300_000_042).digits, "00000042");
        assert!(!format!("{:?}", RoomCode::from_number(42)).contains("42"));
    }

    #[test]
    fn only_all_of_its_digits_are_right() {
        let mut code = RoomCode::from_number(12_345_678);
        assert_eq!(code.check("12345678", None, at(0)), Ok(()));
        assert_eq!(code.check(" 1234 5678\n", None, at(0)), Ok(()));
        for (minute, wrong) in
            ["", "1234567", "123456789", "12345679", "02345678", "1234567\0", "\0", "12345678\0"]
                .into_iter()
                .enumerate()
        {
            let now = at(60 * (minute as u64 + 1));
            assert_eq!(code.check(wrong, None, now), Err(Mistake::Wrong), "{wrong:?}");
        }
    }

    #[test]
    fn ten_wrong_codes_a_minute_are_answered_and_then_not_even_the_right_one() {
        let mut code = RoomCode::from_number(12_345_678);
        let mut check =
            |code_given: &str, second| code.check(code_given, Some(address(1)), at(second));
        for second in 0..10 {
            assert_eq!(check("00000000", second), Err(Mistake::Wrong));
            assert_eq!(check("12345678", second).is_ok(), second < 9);
        }
        // Who goes on makes it no longer.
        for second in 10..60 {
            assert_eq!(check("00000000", second), Err(Mistake::TooMany));
            assert_eq!(check("12345678", second), Err(Mistake::TooMany));
        }
        assert_eq!(check("12345678", 60), Ok(()), "the first mistake is a minute ago");
        assert_eq!(check("00000000", 60), Err(Mistake::Wrong));
        assert_eq!(check("12345678", 60), Err(Mistake::TooMany));
        // In a day of guesses, ten a minute are looked at.
        let answered = (1000..1000 + 24 * 3600)
            .filter(|second| check("00000000", *second) == Err(Mistake::Wrong))
            .count();
        assert_eq!(answered, 24 * 60 * 10);
    }

    #[test]
    fn who_comes_through_a_proxy_shares_no_limit_of_ten() {
        let mut code = RoomCode::from_number(12_345_678);
        for _ in 0..59 {
            assert_eq!(code.check("00000000", None, at(0)), Err(Mistake::Wrong));
            assert_eq!(code.check("12345678", None, at(0)), Ok(()));
        }
        assert_eq!(code.check("00000000", None, at(0)), Err(Mistake::Wrong));
        assert_eq!(code.check("12345678", None, at(0)), Err(Mistake::TooMany));
    }

    #[test]
    fn one_address_that_guesses_locks_out_no_other_and_many_are_limited_together() {
        let mut code = RoomCode::from_number(12_345_678);
        for _ in 0..100 {
            let _ = code.check("00000000", Some(address(1)), at(0));
        }
        assert_eq!(code.check("12345678", Some(address(1)), at(0)), Err(Mistake::TooMany));
        assert_eq!(code.check("12345678", Some(address(2)), at(0)), Ok(()));
        assert_eq!(code.check("12345678", None, at(0)), Ok(()));
        // The other addresses have 50 wrong ones left.
        let answered = (2..=255)
            .filter(|host| {
                code.check("00000000", Some(address(*host)), at(1)) == Err(Mistake::Wrong)
            })
            .count();
        assert_eq!(answered, 50);
        assert_eq!(code.check("12345678", None, at(1)), Err(Mistake::TooMany));
        assert_eq!(code.check("12345678", None, at(60)), Ok(()), "the first ten are a minute ago");
    }
}
