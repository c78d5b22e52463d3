//! What the relay shows of itself over TLS: a certificate from files, or one of its own making.
//!
//! The self-made one is made once and kept, so that its fingerprint, by which players know the
//! relay, is the same tomorrow. It is never remade unasked, whatever becomes of the machine's
//! addresses: players that know the fingerprint ask for no name.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use directories::ProjectDirs;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::NoServerSessionStorage,
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{config::Config, sounds::hex};

/// Why there is no certificate to show. Each says what to do about it.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// One file is of no use without the other.
    #[error("--tls-cert and --tls-key go together: give {0} too")]
    Half(&'static str),
    /// A file that was given cannot be read.
    #[error("cannot read {path:?} of {flag}: {source}")]
    Unreadable {
        /// What names it.
        flag: &'static str,
        /// Which it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that was given holds something else.
    #[error("{path:?} of {flag} holds no {wanted}")]
    Empty {
        /// What names it.
        flag: &'static str,
        /// Which it is.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// What was given cannot be used together.
    #[error("{certificate:?} of --tls-cert and {key:?} of --tls-key cannot be used: {why}")]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// For people.
        why: String,
    },
    /// What was kept cannot be used.
    #[error(
        "the certificate that was kept in {path:?} cannot be used: {why}; remove the file, and \
         one with a new fingerprint is made"
    )]
    Kept {
        /// The file.
        path: PathBuf,
        /// For people.
        why: String,
    },
    /// There is no user's folder.
    #[error("there is no folder to keep a self-made certificate in; give --tls-cert and --tls-key")]
    NoFolder,
    /// A new one cannot be kept.
    #[error(
        "cannot keep a self-made certificate in {path:?}: {source}; give --tls-cert and --tls-key"
    )]
    CannotKeep {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be made.
    #[error("cannot make a certificate: {0}")]
    CannotMake(#[from] rcgen::Error),
}

/// What the relay shows of itself over TLS.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For handshakes.
    pub tls: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Nobody but its fingerprint vouches for it.
    pub is_self_made: bool,
}

impl Identity {
    /// As it is configured, on a machine of this name; `None` if TLS is not wanted.
    ///
    /// # Errors
    /// If there is nothing to show.
    pub fn new(config: &Config, own_name: &str) -> Result<Option<Self>, CertificateError> {
        match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Self::from_files(certificate, key).map(Some),
            (Some(_), None) => Err(CertificateError::Half("--tls-key")),
            (None, Some(_)) => Err(CertificateError::Half("--tls-cert")),
            (None, None) if config.tls => {
                let folders = ProjectDirs::from("", "", "downbeat");
                let folders = folders.ok_or(CertificateError::NoFolder)?;
                let path = folders.data_local_dir().join("relay-certificate.pem");
                Self::kept(&path, own_name).map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    fn from_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let read = |flag, path: &Path| {
            let unreadable =
                |source| CertificateError::Unreadable { flag, path: path.to_owned(), source };
            fs::read(path).map_err(unreadable)
        };
        let empty = |flag, path: &Path, wanted| {
            let path = path.to_owned();
            CertificateError::Empty { flag, path, wanted }
        };
        let chain = certificates(&read("--tls-cert", certificate)?)
            .ok_or_else(|| empty("--tls-cert", certificate, "certificate (as PEM)"))?;
        let private = private_key(&read("--tls-key", key)?)
            .ok_or_else(|| empty("--tls-key", key, "private key (as PEM, without a password)"))?;
        Self::of(chain, private, false).map_err(|error| CertificateError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            why: in_plain_words(&error),
        })
    }

    /// The one that is kept at `path`; if none is, one is made.
    fn kept(path: &Path, own_name: &str) -> Result<Self, CertificateError> {
        let broken = |why: &str| CertificateError::Kept { path: path.to_owned(), why: why.into() };
        let read = match fs::read(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                keep(path, &self_made(&names(own_name))?)?;
                // Read back, because another relay may have been the first to keep one.
                fs::read(path)
            }
            read => read,
        };
        let text = read.map_err(|error| broken(&error.to_string()))?;
        let chain = certificates(&text).ok_or_else(|| broken("it holds no certificate"))?;
        let key = private_key(&text).ok_or_else(|| broken("it holds no key"))?;
        Self::of(chain, key, true).map_err(|error| broken(&in_plain_words(&error)))
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        is_self_made: bool,
    ) -> Result<Self, rustls::Error> {
        let first = chain.first().map(|first| Sha256::digest(first).to_vec());
        let fingerprint = hex(&first.unwrap_or_default());
        let mut tls =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A client comes for hours: to remember it for a cheaper return is not worth the memory.
        tls.send_tls13_tickets = 0;
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { tls: Arc::new(tls), fingerprint, is_self_made })
    }
}

fn in_plain_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key is of another certificate".into(),
        rustls::Error::InvalidCertificate(_) => "that is no valid certificate".into(),
        other => other.to_string(),
    }
}

/// A certificate chain in PEM, if there is one and all of it can be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty())
}

fn private_key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).ok()
}

/// Every name and address by which this machine may be asked now.
fn names(own_name: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    if is_name(own_name) {
        names.push(own_name.to_ascii_lowercase());
        if !own_name.contains('.') {
            names.push(format!("{}.local", own_name.to_ascii_lowercase()));
        }
    }
    // A machine that cannot list its networks is still known by its fingerprint.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    addresses.sort_unstable();
    addresses.dedup();
    names.extend(addresses.iter().map(ToString::to_string));
    names.dedup();
    names
}

/// A certificate for `names` and its key, as one text in PEM.
fn self_made(names: &[String]) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Downbeat relay");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Fixed, because a small computer may not know the date when it starts; and long, because it
    // is the fingerprint that is trusted, and an installation outlives a year.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    let key = KeyPair::generate()?;
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// Writes `text` to `path`, for this user's eyes only, whole or not at all; and leaves alone what
/// someone else has put there meanwhile.
fn keep(path: &Path, text: &str) -> Result<(), CertificateError> {
    let kept = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Such a file is made readable for its owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    kept().map_err(|source| CertificateError::CannotKeep { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_two() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one.pem"), folder.path().join("other.pem"));
        for path in [&one, &other] {
            fs::write(path, self_made(&["lab".to_owned()]).unwrap()).unwrap();
        }
        (folder, one, other)
    }

    fn refused(cert: Option<&Path>, key: Option<&Path>) -> String {
        let (tls_cert, tls_key) = (cert.map(Path::to_owned), key.map(Path::to_owned));
        let config = Config { tls_cert, tls_key, ..Config::default() };
        Identity::new(&config, "lab").unwrap_err().to_string()
    }

    #[test]
    fn the_self_made_one_is_kept_and_nobody_else_can_read_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/relay-certificate.pem");
        let first = Identity::kept(&path, "lab").unwrap();
        assert_eq!(first.fingerprint.len(), 64);
        assert!(first.is_self_made);
        let again = Identity::kept(&path, "renamed").unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        // Another is another, and what is there is not written over.
        keep(&path, &self_made(&["lab".to_owned()]).unwrap()).unwrap();
        assert_eq!(Identity::kept(&path, "lab").unwrap().fingerprint, first.fingerprint);
        fs::remove_file(&path).unwrap();
        assert_ne!(Identity::kept(&path, "lab").unwrap().fingerprint, first.fingerprint);
    }

    #[test]
    fn a_kept_one_that_was_damaged_is_named_and_not_replaced() {
        let (folder, one, other) = folder_with_two();
        let texts = [&one, &other].map(|path| fs::read_to_string(path).unwrap());
        let key_at = texts[0].find("-----BEGIN PRIVATE").unwrap();
        let other_key_at = texts[1].find("-----BEGIN PRIVATE").unwrap();
        let path = folder.path().join("kept.pem");
        for (text, why) in [
            (String::new(), "no certificate"),
            (texts[0][..key_at].to_owned(), "no key"),
            (texts[0][..key_at].to_owned() + &texts[1][other_key_at..], "another certificate"),
        ] {
            fs::write(&path, &text).unwrap();
            let error = Identity::kept(&path, "lab").unwrap_err().to_string();
            assert!(error.contains("kept.pem") && error.contains(why), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named_with_their_flags() {
        let (folder, one, other) = folder_with_two();
        let (absent, wrong) = (folder.path().join("absent.pem"), folder.path().join("wrong.pem"));
        fs::write(&wrong, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        assert!(refused(Some(&one), None).contains("give --tls-key too"));
        assert!(refused(None, Some(&one)).contains("give --tls-cert too"));
        for (cert, key, named) in [
            (&absent, &one, ["--tls-cert", "absent.pem"]),
            (&one, &absent, ["--tls-key", "absent.pem"]),
            (&one, &wrong, ["--tls-key", "no private key"]),
            (&wrong, &one, ["wrong.pem", "no valid certificate"]),
            (&one, &other, ["other.pem", "another certificate"]),
        ] {
            let said = refused(Some(cert), Some(key));
            assert!(named.iter().all(|part| said.contains(part)), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn given_files_are_used_and_no_tls_is_no_certificate() {
        let (_folder, one, _) = folder_with_two();
        let files = Some(one);
        let config = Config { tls_cert: files.clone(), tls_key: files, ..Config::default() };
        assert!(!Identity::new(&config, "lab").unwrap().unwrap().is_self_made);
        assert!(Identity::new(&Config::default(), "lab").unwrap().is_none());
    }

    #[test]
    fn it_is_made_for_every_name_of_this_machine() {
        let names = names("Lab-3");
        for name in ["localhost", "lab-3", "lab-3.local", "127.0.0.1", "::1"] {
            assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
        }
        assert!(self_made(&super::names("müller's machine")).is_ok());
    }
}
