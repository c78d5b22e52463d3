//! Links and the room code.

use super::*;
use crate::config::Config;

fn invitation(config: &Config, listens_on: &str, fingerprint: Option<&str>) -> Invitation {
    let tokens = Arc::new(Tokens::new(config).unwrap());
    let is_tls = fingerprint.is_some();
    let fingerprint = fingerprint.map(str::to_owned);
    Invitation::new(tokens, listens_on.parse().unwrap(), is_tls, fingerprint).unwrap()
}

fn secret(text: &str) -> Option<Secret> {
    text.parse().ok()
}

fn links(invitation: &Invitation) -> Vec<(Rights, String)> {
    invitation
        .message(Rights::Conductor, RelayTime::from_micros(0))
        .links
        .into_iter()
        .map(|link| (link.rights, link.url))
        .collect()
}

#[test]
fn an_open_relay_has_a_plain_link_and_no_code() {
    let open = invitation(&Config::default(), "192.168.1.5:3000", None);
    assert_eq!(links(&open), [(Rights::Conductor, "http://192.168.1.5:3000/".to_owned())]);
    assert_eq!(open.message(Rights::Conductor, RelayTime::from_micros(0)).code, None);
    assert!(open.token_for("12345678", None, RelayTime::from_micros(0)).is_none());
    assert_eq!(open.link_for_players().unwrap(), "http://192.168.1.5:3000/");
}

#[test]
fn a_link_has_token_and_fingerprint_in_its_fragment_for_each_kind_of_rights() {
    let config = Config {
        token: secret("t"),
        conductor_token: secret("c"),
        player_token: secret("p"),
        listen_token: secret("l"),
        ..Config::default()
    };
    let relay = invitation(&config, "[fd00::5]:3001", Some("f00d"));
    let link = |token| format!("https://[fd00::5]:3001/#token={token}&fingerprint=f00d");
    assert_eq!(
        links(&relay),
        [
            (Rights::Listener, link("l")),
            (Rights::Player, link("p")),
            (Rights::Conductor, link("c"))
        ]
    );
    assert_eq!(relay.link_for_players(), Some(link("p")));

    let config = Config { conductor_token: secret("c"), ..Config::default() };
    let relay = invitation(&config, "127.0.0.1:3000", Some("f00d"));
    assert_eq!(
        links(&relay),
        [
            (Rights::Player, "https://127.0.0.1:3000/#fingerprint=f00d".to_owned()),
            (Rights::Conductor, "https://127.0.0.1:3000/#token=c&fingerprint=f00d".to_owned())
        ]
    );
    assert_eq!(
        relay.message(Rights::Conductor, RelayTime::from_micros(0)).code,
        None,
        "players need no token"
    );
    assert_eq!(relay.link_for_players(), None, "others cannot reach it");
}

#[test]
fn a_relay_on_all_networks_has_a_link_for_each() {
    let relay = invitation(&Config::default(), "0.0.0.0:3000", None);
    let urls = relay.urls_for_others();
    let expected: Vec<_> = urls.iter().map(|url| (Rights::Conductor, format!("{url}/"))).collect();
    assert_eq!(links(&relay), expected);
}

#[test]
fn the_room_code_gives_the_token_of_a_player() {
    let config = Config { token: secret("t"), player_token: secret("p"), ..Config::default() };
    let relay = invitation(&config, "0.0.0.0:3000", None);
    let code = relay.message(Rights::Conductor, RelayTime::from_micros(0)).code.unwrap();
    let now = RelayTime::from_micros(0);
    assert_eq!(relay.token_for(&code, None, now), Some(Ok(&Secret("p".to_owned()))));
    assert_eq!(relay.token_for("1", None, now), Some(Err(Mistake::Wrong)));
    // Nothing of it is logged.
    let debug = format!(
        "{relay:?} {:?}",
        relay.message(Rights::Conductor, RelayTime::from_micros(0)).links
    );
    assert!(
        !debug.contains(&code) && !debug.contains("\"t\"") && !debug.contains("token="),
        "{debug}"
    );
}

#[test]
fn nobody_is_told_what_gives_more_rights_than_its_own_token() {
    let config = |tokens: [&str; 4]| {
        let [token, conductor, player, listen] =
            tokens.map(|token| secret(token).filter(|_| !token.is_empty()));
        Config {
            token,
            conductor_token: conductor,
            player_token: player,
            listen_token: listen,
            ..Config::default()
        }
    };
    for (tokens, rights, told, has_code) in [
        (
            ["t", "c", "p", "l"],
            Rights::Conductor,
            &[Rights::Listener, Rights::Player, Rights::Conductor][..],
            true,
        ),
        (["t", "c", "p", "l"], Rights::Player, &[Rights::Listener, Rights::Player], true),
        (["t", "c", "p", "l"], Rights::Listener, &[Rights::Listener], false),
        // The code gives the token of all, which makes conductors.
        (["t", "", "", "l"], Rights::Listener, &[Rights::Listener], false),
        (["t", "", "", "l"], Rights::Conductor, &[Rights::Listener, Rights::Conductor], true),
        (["", "c", "", ""], Rights::Player, &[Rights::Player], false),
    ] {
        let relay = invitation(&config(tokens), "192.168.1.5:3000", None);
        let message = relay.message(rights, RelayTime::from_micros(0));
        let links: Vec<_> = message.links.iter().map(|link| link.rights).collect();
        assert_eq!((&links[..], message.code.is_some()), (told, has_code), "{tokens:?} {rights:?}");
    }
}
