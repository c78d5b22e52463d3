//! Whom to believe over TLS: one certificate whose fingerprint was given, or else whatever this
//! machine's own authorities vouch for.
//!
//! It says in words what is wrong with a certificate; it opens no socket.

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

use crate::access::Fingerprint;

/// Why a certificate is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// No fingerprint was given, and no authority vouches for it.
    #[error(
        "{why}; if the relay itself printed this fingerprint, add it to the address: \
         #fingerprint={seen}"
    )]
    Unknown {
        /// The certificate's.
        seen: Fingerprint,
        /// For people.
        why: &'static str,
    },
    /// It is not the one that was asked for.
    #[error(
        "the relay's certificate has the fingerprint {seen}, which is not the one that was given: \
         it may be another relay, or someone in between"
    )]
    Other {
        /// The certificate's.
        seen: Fingerprint,
    },
}

impl Untrusted {
    /// What was wrong with a certificate, if that is why `error` ended a connection.
    #[must_use]
    pub fn behind(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref().copied()
            }
            _ => None,
        }
    }
}

/// Whether `error` says that the far end speaks something else than TLS.
#[must_use]
pub fn is_no_tls(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(Error::InvalidMessage(_)))
}

/// What a client needs for its handshakes. Reads the machine's authorities unless a fingerprint was
/// `given`: some milliseconds.
///
/// # Errors
/// If this program's cryptography does not suit it, which no program was built to see.
pub fn client_config(given: Option<Fingerprint>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let authorities = match given {
        Some(_) => None,
        None => authorities(&provider),
    };
    let belief = Belief { given, authorities, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(belief))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Those whom this machine trusts; `None` if it knows none.
fn authorities(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "an authority cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().ok()
}

struct Belief {
    given: Option<Fingerprint>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Belief").field("given", &self.given).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Belief {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Fingerprint::of(certificate);
        let untrusted = |untrusted: Untrusted| {
            let error = OtherError(Arc::new(untrusted));
            Error::InvalidCertificate(CertificateError::Other(error))
        };
        match self.given {
            // Whoever holds its key is the relay, under whatever name and at whatever date.
            Some(given) if given == seen => return Ok(ServerCertVerified::assertion()),
            Some(_) => return Err(untrusted(Untrusted::Other { seen })),
            None => {}
        }
        let unknown = "nobody whom this machine trusts vouches for the relay's certificate";
        let Some(authorities) = &self.authorities else {
            return Err(untrusted(Untrusted::Unknown { seen, why: unknown }));
        };
        authorities.verify_server_cert(certificate, intermediates, name, ocsp, now).map_err(
            |error| {
                use CertificateError as E;
                let why = match error {
                    Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
                        "the relay's certificate has expired, or this machine's date is wrong"
                    }
                    Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
                        "the relay's certificate is not valid yet, or this machine's date is wrong"
                    }
                    Error::InvalidCertificate(
                        E::NotValidForName | E::NotValidForNameContext { .. },
                    ) => "the relay's certificate is for another name than the one in its address",
                    _ => unknown,
                };
                untrusted(Untrusted::Unknown { seen, why })
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
