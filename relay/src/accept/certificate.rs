//! The relay's TLS identity: a certificate from files, or a self-signed one.
//!
//! The self-signed certificate is generated once and stored, so that its fingerprint, by which players
//! verify the relay, stays the same. It is never regenerated on its own, even if the machine's addresses
//! change: players that verify a fingerprint check no name.

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

use crate::{config::Config, text::hex};

/// Why there is no usable certificate. Each message says what to do.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// One file without the other.
    #[error("--tls-cert and --tls-key go together: give {0} too")]
    Half(&'static str),
    /// A given file cannot be read.
    #[error("cannot read {path:?} of {flag}: {source}")]
    Unreadable {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A given file has other content.
    #[error("{path:?} of {flag} contains no {wanted}")]
    Empty {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should contain.
        wanted: &'static str,
    },
    /// The given files do not work together.
    #[error("{certificate:?} of --tls-cert and {key:?} of --tls-key cannot be used: {reason}")]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The stored certificate is unusable.
    #[error(
        "the stored certificate {path:?} cannot be used: {reason}; remove the file to generate a \
         certificate with a new fingerprint"
    )]
    Stored {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The user has no data folder.
    #[error("no folder to store a self-signed certificate in; give --tls-cert and --tls-key")]
    NoFolder,
    /// A new certificate cannot be stored.
    #[error(
        "cannot store a self-signed certificate in {path:?}: {source}; give --tls-cert and --tls-key"
    )]
    CannotStore {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be generated.
    #[error("cannot generate a certificate: {0}")]
    CannotGenerate(#[from] rcgen::Error),
}

/// The relay's certificate and key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The configuration for handshakes.
    pub(crate) tls: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Clients can verify it by its fingerprint only.
    pub is_self_signed: bool,
}

impl Identity {
    /// The configured identity of a machine named `host_name`; `None` without TLS.
    ///
    /// # Errors
    /// If there is no usable certificate.
    pub(crate) fn new(config: &Config, host_name: &str) -> Result<Option<Self>, CertificateError> {
        match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Self::from_files(certificate, key).map(Some),
            (Some(_), None) => Err(CertificateError::Half("--tls-key")),
            (None, Some(_)) => Err(CertificateError::Half("--tls-cert")),
            (None, None) if config.tls => {
                let folders = ProjectDirs::from("", "", "downbeat");
                let folders = folders.ok_or(CertificateError::NoFolder)?;
                let path = folders.data_local_dir().join("relay-certificate.pem");
                Self::stored(&path, host_name).map(Some)
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
        Self::from_chain(chain, private, false).map_err(|error| CertificateError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: describe(&error),
        })
    }

    /// The certificate stored at `path`; if there is none, one is generated.
    fn stored(path: &Path, host_name: &str) -> Result<Self, CertificateError> {
        let unusable = |reason: &str| CertificateError::Stored {
            path: path.to_owned(),
            reason: reason.into(),
        };
        let read = match fs::read(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                store(path, &self_signed(&names(host_name))?)?;
                // Read back, because another relay may have stored one first.
                fs::read(path)
            }
            read => read,
        };
        let text = read.map_err(|error| unusable(&error.to_string()))?;
        let chain = certificates(&text).ok_or_else(|| unusable("it contains no certificate"))?;
        let key = private_key(&text).ok_or_else(|| unusable("it contains no key"))?;
        Self::from_chain(chain, key, true).map_err(|error| unusable(&describe(&error)))
    }

    fn from_chain(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        is_self_signed: bool,
    ) -> Result<Self, rustls::Error> {
        let first = chain.first().map(|first| Sha256::digest(first).to_vec());
        let fingerprint = hex(&first.unwrap_or_default());
        let mut tls =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Clients stay for hours: session resumption is not worth the memory.
        tls.send_tls13_tickets = 0;
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { tls: Arc::new(tls), fingerprint, is_self_signed })
    }
}

fn describe(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key belongs to another certificate".into(),
        rustls::Error::InvalidCertificate(_) => "the certificate is not valid".into(),
        other => other.to_string(),
    }
}

/// The certificate chain in a PEM text, if there is one and all of it is readable.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty())
}

fn private_key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).ok()
}

/// The names and addresses of this machine.
fn names(host_name: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    if is_name(host_name) {
        names.push(host_name.to_ascii_lowercase());
        if !host_name.contains('.') {
            names.push(format!("{}.local", host_name.to_ascii_lowercase()));
        }
    }
    // Without a list of networks, clients can still verify the fingerprint.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    addresses.sort_unstable();
    addresses.dedup();
    names.extend(addresses.iter().map(ToString::to_string));
    names.dedup();
    names
}

/// Generates a certificate for `names` and its key, as one PEM text.
fn self_signed(names: &[String]) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Downbeat relay");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Fixed, because a small computer may not know the date when it boots; and long, because clients
    // trust the fingerprint, and an installation runs for years.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    let key = KeyPair::generate()?;
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// Writes `text` to `path` atomically, readable for this user only. An existing file is left as it is.
fn store(path: &Path, text: &str) -> Result<(), CertificateError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Temporary files are readable for their owner only.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    write().map_err(|source| CertificateError::CannotStore { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
