//! Whether the way to the server is encrypted, and whom a certificate is believed by.

use crate::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// What a URL says about encryption, in libpq's words: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`.
#[derive(Debug)]
pub(super) struct Trust {
    mode: Mode,
    root: Option<String>,
    own: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Trust {
    /// Takes out of a URL what the driver does not know.
    pub(super) fn take(url: &str) -> Result<(String, Self)> {
        let wrong = |what: &str| Error::Other(format!("the database's address is not understood: {what}"));
        let (mut mode, mut root, mut cert, mut key) = (Mode::Prefer, None, None, None);
        let Some((before, query)) = url.split_once('?') else {
            return Ok((url.to_owned(), Self { mode, root, own: None }));
        };
        let mut kept = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = || {
                let parsed = Url::parse(&format!("x:?{pair}")).ok()?;
                parsed.query_pairs().next().map(|(_, value)| value.into_owned())
            };
            match name {
                "sslmode" => {
                    mode = match value {
                        "disable" => Mode::Disable,
                        "allow" | "prefer" => Mode::Prefer,
                        "require" => Mode::Require,
                        "verify-ca" => Mode::VerifyCa,
                        "verify-full" => Mode::VerifyFull,
                        _ => {
                            return Err(wrong(
                                "sslmode is disable, prefer, require, verify-ca or verify-full",
                            ));
                        }
                    }
                }
                "sslrootcert" => root = decoded(),
                "sslcert" => cert = decoded(),
                "sslkey" => key = decoded(),
                _ => kept.push(pair),
            }
        }
        // As libpq has it: whoever believes the system's authorities wants to know whose certificate it is.
        if root.as_deref() == Some("system") {
            if !matches!(mode, Mode::Prefer | Mode::VerifyFull) {
                return Err(wrong("sslrootcert=system goes with sslmode=verify-full alone"));
            }
            mode = Mode::VerifyFull;
        }
        if mode == Mode::VerifyCa && root.is_none() {
            return Err(wrong(
                "sslmode=verify-ca needs the authority's sslrootcert: anybody has a certificate of some authority",
            ));
        }
        let own = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(wrong("sslcert and sslkey belong together")),
        };
        let url = if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) };
        Ok((url, Self { mode, root, own }))
    }

    /// The driver's share of it.
    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

/// What encrypts; none when nothing is to be.
pub(super) fn connector(trust: &Trust) -> Result<Option<MakeRustlsConnect>> {
    if trust.mode == Mode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let wrong = |what: &str, error: &dyn std::fmt::Display| Error::Other(format!("{what}: {error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("no version of TLS can be spoken", &error))?;
    let verifier: Arc<dyn ServerCertVerifier> = match (&trust.root, trust.mode) {
        (Some(file), mode) if file != "system" => {
            let mut roots = RootCertStore::empty();
            let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            let certificates: Vec<CertificateDer<'_>> =
                certificates.map_err(|error| wrong(&format!("sslrootcert {file} cannot be read"), &error))?;
            roots.add_parsable_certificates(certificates);
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| wrong(&format!("sslrootcert {file} is of no use"), &error))?;
            // As libpq has it, an authority that is named is one to be checked, whatever the mode.
            match mode {
                Mode::VerifyFull => inner,
                _ => Arc::new(AnyName(inner)),
            }
        }
        (_, Mode::VerifyCa | Mode::VerifyFull) => {
            let inner = Arc::new(
                Verifier::new(provider)
                    .map_err(|error| wrong("the system's authorities cannot be read", &error))?,
            );
            if trust.mode == Mode::VerifyFull { inner } else { Arc::new(AnyName(inner)) }
        }
        _ => Arc::new(Anybody(provider)),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = match &trust.own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
            let chain = chain.map_err(|error| wrong(&format!("sslcert {cert} cannot be read"), &error))?;
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| wrong(&format!("sslkey {key} cannot be read"), &error))?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| wrong("sslcert and sslkey do not fit", &error))?
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// `verify-ca`: whoever has a certificate of the authority, whatever their name.
#[derive(Debug)]
struct AnyName(Arc<dyn ServerCertVerifier>);

/// `prefer` and `require`: encrypted, to whomever.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.0.verify_server_cert(end, between, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
