//! Which certificates are trusted over TLS: the one whose fingerprint was given, or else those that
//! this machine's certificate authorities have signed.
//!
//! It says in words what is wrong with a certificate. It opens no socket.

use std::{fmt, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::credentials::Fingerprint;

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedCertificate {
    /// No fingerprint was given, and the authorities that this machine trusts do not accept it.
    #[error(
        "{why}; if the relay itself printed this fingerprint, add it to its address: \
         #fingerprint={seen}"
    )]
    Unknown {
        /// The certificate's fingerprint.
        seen: Fingerprint,
        /// The reason, for people.
        why: &'static str,
    },
    /// Its fingerprint is not the one that was given.
    #[error(
        "the certificate has the fingerprint {seen}, not the one that was given: this may \
         be another relay, or someone is intercepting the connection"
    )]
    WrongFingerprint {
        /// The certificate's fingerprint.
        seen: Fingerprint,
    },
}

impl UntrustedCertificate {
    /// The certificate's problem, if that is why `error` ended a connection.
    pub(crate) fn behind(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref().copied()
            }
            _ => None,
        }
    }
}

/// Whether `error` says that the server does not speak TLS.
pub(crate) fn is_no_tls(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(Error::InvalidMessage(_)))
}

/// The configuration of TLS handshakes. Unless a fingerprint was `given`, it reads the machine's
/// certificate authorities, which takes some milliseconds.
///
/// # Errors
/// If the crypto provider lacks the protocol versions, which would be a mistake in the build.
pub(crate) fn client_config(given: Option<Fingerprint>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let authorities = match given {
        Some(_) => None,
        None => authorities(&provider),
    };
    let verifier = Verifier { given, authorities, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The authorities that this machine trusts; `None` if there are none.
fn authorities(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "certificate authority unreadable");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().ok()
}

struct Verifier {
    given: Option<Fingerprint>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("given", &self.given).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Fingerprint::of(certificate);
        let untrusted = |untrusted: UntrustedCertificate| {
            let error = OtherError(Arc::new(untrusted));
            Error::InvalidCertificate(CertificateError::Other(error))
        };
        match self.given {
            // The fingerprint identifies the key; neither name nor date adds anything.
            Some(given) if given == seen => return Ok(ServerCertVerified::assertion()),
            Some(_) => return Err(untrusted(UntrustedCertificate::WrongFingerprint { seen })),
            None => {}
        }
        let unknown = "the certificate is not signed by an authority this machine trusts";
        let Some(authorities) = &self.authorities else {
            return Err(untrusted(UntrustedCertificate::Unknown { seen, why: unknown }));
        };
        authorities.verify_server_cert(certificate, intermediates, name, ocsp, now).map_err(
            |error| {
                use CertificateError as E;
                let why = match error {
                    Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
                        "the certificate has expired, or this machine's date is wrong"
                    }
                    Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
                        "the certificate is not valid yet, or this machine's date is wrong"
                    }
                    Error::InvalidCertificate(
                        E::NotValidForName | E::NotValidForNameContext { .. },
                    ) => "the certificate is for another host name",
                    _ => unknown,
                };
                untrusted(UntrustedCertificate::Unknown { seen, why })
            },
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
