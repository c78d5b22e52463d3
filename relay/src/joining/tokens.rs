//! The tokens, and the rights of who presents them.
//!
//! Tokens are compared by their digests, in constant time.

use downbeat_protocol::Rights;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::config::{Config, Secret};

/// Why the tokens of the settings cannot be used. No message contains a token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// A token that no header can carry.
    #[error("{0} must have 1 to 128 letters, digits, '-', '.', '_' or '~'")]
    Invalid(&'static str),
    /// A token that admits to fewer rights than everyone has.
    #[error("{0} needs a --token: without one, everyone may join and bang")]
    Pointless(&'static str),
    /// Two tokens are equal.
    #[error("{0} and {1} are equal; choose different ones")]
    Same(&'static str, &'static str),
}

/// A token.
#[derive(Debug)]
struct Token {
    secret: Secret,
    digest: [u8; 32],
    /// Of who presents it.
    rights: Rights,
    flag: &'static str,
}

/// The tokens of a relay.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Of two for the same rights, the first one is given to others.
    tokens: Vec<Token>,
    /// The rights of who presents none; `None` if one is needed.
    without: Option<Rights>,
}

impl Tokens {
    /// The tokens of the settings.
    ///
    /// # Errors
    /// If they cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, TokenError> {
        let has_conductors = config.conductor_token.is_some();
        let usual = if has_conductors { Rights::Player } else { Rights::Conductor };
        let needs_token = config.token.is_some();
        let mut tokens: Vec<Token> = Vec::new();
        for (flag, secret, rights) in [
            ("--token", &config.token, usual),
            ("--conductor-token", &config.conductor_token, Rights::Conductor),
            ("--player-token", &config.player_token, Rights::Player),
            ("--listen-token", &config.listen_token, Rights::Listener),
        ] {
            let Some(secret) = secret else { continue };
            if !is_token(&secret.0) {
                return Err(TokenError::Invalid(flag));
            }
            if !needs_token && rights < Rights::Conductor {
                return Err(TokenError::Pointless(flag));
            }
            if let Some(same) = tokens.iter().find(|other| other.secret == *secret) {
                return Err(TokenError::Same(same.flag, flag));
            }
            let (secret, digest) = (secret.clone(), digest_of(&secret.0));
            tokens.push(Token { secret, digest, rights, flag });
        }
        // The token of players alone, where two make players.
        tokens.sort_by_key(|token| token.flag == "--token");
        Ok(Self { tokens, without: (!needs_token).then_some(usual) })
    }

    /// Whether no token is needed.
    pub(crate) fn is_open(&self) -> bool {
        self.without.is_some()
    }

    /// The rights of who presents these tokens, of which none is checked that is none; `None` if one is needed
    /// and all are wrong.
    pub(crate) fn rights<'a>(&self, presented: impl Iterator<Item = &'a str>) -> Option<Rights> {
        if self.tokens.is_empty() {
            return self.without;
        }
        let rights = presented.filter_map(|text| {
            let digest = digest_of(text);
            // Every one is compared, whichever is right.
            let same = self.tokens.iter().filter(|token| is_same(&digest, &token.digest));
            same.map(|token| token.rights).max()
        });
        rights.max().max(self.without)
    }

    /// The token that is given to players: the one with the fewest rights that lets them bang. `None` if they
    /// need none.
    pub(crate) fn for_players(&self) -> Option<&Secret> {
        self.token_of_players().map(|token| &token.secret)
    }

    /// The rights of who presents it.
    pub(crate) fn rights_of_players(&self) -> Option<Rights> {
        self.token_of_players().map(|token| token.rights)
    }

    fn token_of_players(&self) -> Option<&Token> {
        if self.is_open() {
            return None;
        }
        let players = self.tokens.iter().filter(|token| token.rights >= Rights::Player);
        players.min_by_key(|token| token.rights)
    }

    /// Each kind of rights that others can have, and the token for it; `None` where it takes none. Fewer rights
    /// come first.
    pub(crate) fn for_links(&self) -> Vec<(Rights, Option<&Secret>)> {
        let kinds = [Rights::Listener, Rights::Player, Rights::Conductor].into_iter();
        let link = |rights| {
            if self.without == Some(rights) {
                return Some((rights, None));
            }
            let token = self.tokens.iter().find(|token| token.rights == rights)?;
            Some((rights, Some(&token.secret)))
        };
        kinds.filter_map(link).collect()
    }
}

/// Whether a text can be a token.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

fn digest_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares in constant time.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings with these tokens: that of all, of conductors, of players, of listeners.
    fn config([token, conductor, player, listen]: [&str; 4]) -> Config {
        let secret = |text: &str| (!text.is_empty()).then(|| Secret(text.to_owned()));
        Config {
            token: secret(token),
            conductor_token: secret(conductor),
            player_token: secret(player),
            listen_token: secret(listen),
            ..Config::default()
        }
    }

    const L: Option<Rights> = Some(Rights::Listener);
    const P: Option<Rights> = Some(Rights::Player);
    const C: Option<Rights> = Some(Rights::Conductor);

    #[test]
    fn the_tokens_that_are_set_decide_what_each_of_them_means() {
        // What is set; the rights with no token, a wrong one, and each of t, c, p and l; the token for players.
        for (set, rights, for_players) in [
            (["", "", "", ""], [C, C, C, C, C, C], None),
            (["t", "", "", ""], [None, None, C, None, None, None], Some("t")),
            (["t", "", "", "l"], [None, None, C, None, None, L], Some("t")),
            (["t", "", "p", ""], [None, None, C, None, P, None], Some("p")),
            (["t", "", "p", "l"], [None, None, C, None, P, L], Some("p")),
            (["", "c", "", ""], [P, P, P, C, P, P], None),
            (["t", "c", "", ""], [None, None, P, C, None, None], Some("t")),
            (["t", "c", "p", ""], [None, None, P, C, P, None], Some("p")),
            (["t", "c", "p", "l"], [None, None, P, C, P, L], Some("p")),
        ] {
            let tokens = Tokens::new(&config(set)).unwrap();
            let presented = [None, Some("x"), Some("t"), Some("c"), Some("p"), Some("l")];
            let given = presented.map(|token| tokens.rights(token.into_iter()));
            assert_eq!(given, rights, "{set:?}");
            assert_eq!(tokens.is_open(), rights[0].is_some());
            assert_eq!(tokens.for_players().map(|Secret(token)| token.as_str()), for_players);
            // Who follows a link has the rights that it promises.
            let links = tokens.for_links();
            assert!(links.is_sorted_by_key(|(rights, _)| *rights) && !links.is_empty());
            for (promised, token) in links {
                let presented = token.map(|Secret(token)| token.as_str());
                assert_eq!(tokens.rights(presented.into_iter()), Some(promised), "{set:?}");
            }
        }
    }

    #[test]
    fn of_several_tokens_the_one_with_most_rights_counts() {
        let tokens = Tokens::new(&config(["t", "c", "p", "l"])).unwrap();
        assert_eq!(tokens.rights(["l", "x", "c", "p"].into_iter()), C);
        assert_eq!(tokens.rights(["l", "p"].into_iter()), P);
        let kinds: Vec<_> =
            tokens.for_links().into_iter().map(|(_, token)| token.unwrap().0.clone()).collect();
        assert_eq!(kinds, ["l", "p", "c"]);
    }

    #[test]
    fn contradictions_are_refused_by_the_names_of_the_flags_and_without_a_token() {
        let refused = |set: [&str; 4]| Tokens::new(&config(set)).unwrap_err();
        for (set, error) in [
            (["two words", "", "", ""], TokenError::Invalid("--token")),
            (["t", "c\u{e9}", "", ""], TokenError::Invalid("--conductor-token")),
            (["t", "", "p p", ""], TokenError::Invalid("--player-token")),
            (["", "", "p", ""], TokenError::Pointless("--player-token")),
            (["", "", "", "l"], TokenError::Pointless("--listen-token")),
            (["", "c", "", "l"], TokenError::Pointless("--listen-token")),
            (["", "c", "p", ""], TokenError::Pointless("--player-token")),
            (["same", "same", "", ""], TokenError::Same("--token", "--conductor-token")),
            (["same", "", "same", ""], TokenError::Same("--token", "--player-token")),
            (["same", "", "", "same"], TokenError::Same("--token", "--listen-token")),
            (["t", "same", "same", ""], TokenError::Same("--conductor-token", "--player-token")),
            (["t", "", "same", "same"], TokenError::Same("--player-token", "--listen-token")),
        ] {
            assert_eq!(refused(set), error, "{set:?}");
            let message = format!("{error} {:?}", config(set));
            assert!(!message.contains("same") && !message.contains("two words"), "{message}");
        }
    }
}
