//! Stored, given and unusable certificates.

use super::*;

fn folder_with_two() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one.pem"), folder.path().join("other.pem"));
    for path in [&one, &other] {
        fs::write(path, self_signed(&["lab".to_owned()]).unwrap()).unwrap();
    }
    (folder, one, other)
}

fn refused(cert: Option<&Path>, key: Option<&Path>) -> String {
    let (tls_cert, tls_key) = (cert.map(Path::to_owned), key.map(Path::to_owned));
    let config = Config { tls_cert, tls_key, ..Config::default() };
    Identity::new(&config, "lab").unwrap_err().to_string()
}

#[test]
fn a_self_signed_certificate_is_stored_and_its_key_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/relay-certificate.pem");
    let first = Identity::stored(&path, "lab").unwrap();
    assert_eq!(first.fingerprint.len(), 64);
    assert!(first.is_self_signed);
    let again = Identity::stored(&path, "renamed").unwrap();
    assert_eq!(first.fingerprint, again.fingerprint);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // An existing file is not overwritten; a new one has another fingerprint.
    store(&path, &self_signed(&["lab".to_owned()]).unwrap()).unwrap();
    assert_eq!(Identity::stored(&path, "lab").unwrap().fingerprint, first.fingerprint);
    fs::remove_file(&path).unwrap();
    assert_ne!(Identity::stored(&path, "lab").unwrap().fingerprint, first.fingerprint);
}

#[test]
fn a_damaged_stored_certificate_is_reported_and_not_replaced() {
    let (folder, one, other) = folder_with_two();
    let texts = [&one, &other].map(|path| fs::read_to_string(path).unwrap());
    let key_at = texts[0].find("-----BEGIN PRIVATE").unwrap();
    let other_key_at = texts[1].find("-----BEGIN PRIVATE").unwrap();
    let path = folder.path().join("stored.pem");
    for (text, reason) in [
        (String::new(), "no certificate"),
        (texts[0][..key_at].to_owned(), "no key"),
        (texts[0][..key_at].to_owned() + &texts[1][other_key_at..], "another certificate"),
    ] {
        fs::write(&path, &text).unwrap();
        let error = Identity::stored(&path, "lab").unwrap_err().to_string();
        assert!(error.contains("stored.pem") && error.contains(reason), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn unusable_files_are_reported_with_their_flags() {
    let (folder, one, other) = folder_with_two();
    let (absent, wrong) = (folder.path().join("absent.pem"), folder.path().join("wrong.pem"));
    fs::write(&wrong, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(refused(Some(&one), None).contains("give --tls-key too"));
    assert!(refused(None, Some(&one)).contains("give --tls-cert too"));
    for (cert, key, named) in [
        (&absent, &one, ["--tls-cert", "absent.pem"]),
        (&one, &absent, ["--tls-key", "absent.pem"]),
        (&one, &wrong, ["--tls-key", "no private key"]),
        (&wrong, &one, ["wrong.pem", "not valid"]),
        (&one, &other, ["other.pem", "another certificate"]),
    ] {
        let message = refused(Some(cert), Some(key));
        assert!(named.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn given_files_are_used_and_without_tls_there_is_no_identity() {
    let (_folder, one, _) = folder_with_two();
    let files = Some(one);
    let config = Config { tls_cert: files.clone(), tls_key: files, ..Config::default() };
    assert!(!Identity::new(&config, "lab").unwrap().unwrap().is_self_signed);
    assert!(Identity::new(&Config::default(), "lab").unwrap().is_none());
}

#[test]
fn a_self_signed_certificate_names_the_machine_and_its_addresses() {
    let names = names("Lab-3");
    for name in ["localhost", "lab-3", "lab-3.local", "127.0.0.1", "::1"] {
        assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
    }
    assert!(self_signed(&super::names("müller's machine")).is_ok());
}
