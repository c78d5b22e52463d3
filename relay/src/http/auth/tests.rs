//! Tokens, host names and origins.

use hyper::header::{HeaderName, HeaderValue};

use super::*;
use crate::config::Secret;

fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(HeaderName, &'static str)| {
        (name.clone(), HeaderValue::from_static(value))
    };
    all.iter().map(pair).collect()
}

fn secret(text: &str) -> Option<Secret> {
    text.parse().ok()
}

fn access(config: &Config) -> Access {
    Access::new(config, "stage.example.edu").unwrap()
}

#[test]
fn a_token_in_either_header_gives_its_rights() {
    let (token, listen_token) = (secret("bang-it"), secret("hear-it"));
    let access = access(&Config { token, listen_token, ..Config::default() });
    for (header, value, rights) in [
        (AUTHORIZATION, "Bearer bang-it", Some(Rights::Conductor)),
        (AUTHORIZATION, "bearer hear-it", Some(Rights::Listener)),
        (AUTHORIZATION, "Bearer bang-it2", None),
        (AUTHORIZATION, "Bearer ", None),
        (AUTHORIZATION, "Basic bang-it", None),
        (SEC_WEBSOCKET_PROTOCOL, "downbeat.v1, downbeat.token.bang-it", Some(Rights::Conductor)),
        (SEC_WEBSOCKET_PROTOCOL, "downbeat.token.hear-it,downbeat.v1", Some(Rights::Listener)),
        (SEC_WEBSOCKET_PROTOCOL, "downbeat.token.", None),
        (SEC_WEBSOCKET_PROTOCOL, "downbeat.v1", None),
        (HOST, "bang-it", None),
    ] {
        assert_eq!(access.rights(&headers(&[(header, value)])), rights, "{value}");
    }
    assert_eq!(self::access(&Config::default()).rights(&headers(&[])), Some(Rights::Conductor));
}

#[test]
fn at_most_three_tokens_of_a_request_are_checked() {
    let access = access(&Config { token: secret("bang-it"), ..Config::default() });
    let rights = |offers: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offers).unwrap());
        access.rights(&headers)
    };
    let wrong = |count| "downbeat.token.x, ".repeat(count);
    assert_eq!(rights(&format!("{}downbeat.token.bang-it", wrong(2))), Some(Rights::Conductor));
    assert_eq!(rights(&format!("{}downbeat.token.bang-it", wrong(3))), None);
    assert_eq!(rights(&format!("{}downbeat.token.bang-it", wrong(900))), None);
    // Entries that cannot be tokens cost no digest and do not count.
    let long = format!("downbeat.token.{}, ", "x".repeat(129)).repeat(9);
    assert_eq!(rights(&format!("{long}downbeat.token.bang-it")), Some(Rights::Conductor));
    // Both headers share the limit.
    let mut headers = HeaderMap::new();
    for _ in 0..3 {
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    }
    headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer bang-it"));
    assert_eq!(access.rights(&headers), None);
}

#[test]
fn unusable_settings_are_reported_without_the_token() {
    let refused = |config: &Config| Access::new(config, "x").unwrap_err();
    let config = Config { token: secret("two words"), ..Config::default() };
    assert_eq!(refused(&config), TokenError::Invalid("--token").into());
    assert!(!format!("{config:?} {}", refused(&config)).contains("two words"));
    let config = Config { allow_origin: vec!["stage".into()], ..Config::default() };
    assert!(matches!(refused(&config), AccessError::Origin(_)));
}

#[test]
fn names_in_the_public_dns_are_not_accepted() {
    let allow_origin = vec!["https://bang.example.org".to_owned()];
    let access = access(&Config { allow_origin, ..Config::default() });
    for (host, own) in [
        ("192.168.1.20:3000", true),
        ("[fe80::1]:3000", true),
        ("[::1]", true),
        ("localhost:3000", true),
        ("relay:3000", true),
        ("Relay.local:3000", true),
        ("stage.example.edu:3000", true),
        ("bang.example.org", true),
        ("evil.example:3000", false),
        ("192.168.1.20.evil.example", false),
        ("local.evil.example", false),
        ("relay.local.evil.example.", false),
    ] {
        for local_ip in ["192.168.1.20", "203.0.113.7"] {
            let local_ip = local_ip.parse().unwrap();
            assert_eq!(access.is_own_host(&headers(&[(HOST, host)]), local_ip), own, "{host}");
        }
    }
    assert!(access.is_own_host(&headers(&[]), IpAddr::from([203, 0, 113, 7])));
}

#[test]
fn private_domains_are_accepted_on_private_addresses_only() {
    let access = access(&Config::default());
    let own = |host, local_ip: &str| {
        access.is_own_host(&headers(&[(HOST, host)]), local_ip.parse().unwrap())
    };
    for host in ["stage.lan:3000", "Stage.Home.Arpa.", "a.b.internal", "stage.fritz.box:3000"] {
        for private in [
            "192.168.1.20",
            "10.0.0.1",
            "172.16.9.9",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.20",
        ] {
            assert!(own(host, private), "{host} at {private}");
        }
        for public in ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"] {
            assert!(!own(host, public), "{host} at {public}");
        }
    }
    for host in ["lan.evil.example", "evillan", "stage.lan.example", "notfritz.box"] {
        assert_eq!(own(host, "192.168.1.20"), !host.contains('.'), "{host}");
    }
}

#[test]
fn the_file_origin_of_a_device_must_be_allowed() {
    let device = |headers_too: &[(HeaderName, &'static str)], allowed: &[&str]| {
        let allow_origin = allowed.iter().map(|&origin| origin.to_owned()).collect();
        let mut all = vec![(ORIGIN, "file://")];
        all.extend_from_slice(headers_too);
        access(&Config { allow_origin, ..Config::default() }).is_own_origin(&headers(&all))
    };
    for host in [&[(HOST, "192.168.1.20:3000")][..], &[(HOST, "")], &[]] {
        assert!(!device(host, &[]), "{host:?}");
        assert!(!device(host, &["http://stage"]), "{host:?}");
        for allowed in ["file://", "FILE:///"] {
            assert!(device(host, &[allowed]), "{host:?}");
        }
    }
    let refused = |origin: &str| {
        let config = Config { allow_origin: vec![origin.to_owned()], ..Config::default() };
        Access::new(&config, "x").is_err()
    };
    assert!(refused("file://host") && refused("null"));
}

#[test]
fn only_pages_of_this_origin_or_an_allowed_one_may_connect() {
    let allow_origin = vec!["https://bang.example.org:443".to_owned()];
    let access = access(&Config { allow_origin, ..Config::default() });
    for (origin, host, own) in [
        ("http://relay.local:3000", "relay.local:3000", true),
        ("HTTP://Relay.local:3000", "relay.local:3000", true),
        ("http://relay.local", "relay.local:80", true),
        ("https://relay.local", "relay.local", true),
        ("http://[::1]:3000", "[::1]:3000", true),
        ("https://bang.example.org", "relay.local:3000", true),
        ("http://bang.example.org", "relay.local:3000", false),
        ("http://relay.local:3001", "relay.local:3000", false),
        ("http://relay.local", "relay.local:3000", false),
        ("http://evil.example", "relay.local:3000", false),
        ("http://evil.example/relay.local:3000", "relay.local:3000", false),
        ("null", "relay.local:3000", false),
        ("file://", "relay.local:3000", false),
        ("http://", "", false),
    ] {
        let headers = headers(&[(ORIGIN, origin), (HOST, host)]);
        assert_eq!(access.is_own_origin(&headers), own, "{origin} at {host}");
    }
    assert!(access.is_own_origin(&headers(&[(HOST, "relay.local")])));
}
