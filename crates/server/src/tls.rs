//! Certificates: the operator's own, or those of an authority that a try-out makes for itself.

use crate::config::Config;
use crate::crypto::write_private;
use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The certificate of a try-out's authority, for clients to trust.
pub const DEV_CA: &str = "dev-ca.pem";
const DEV_CA_KEY: &str = "dev-ca.key";

/// What the TLS listener needs, from the operator's files or, in a try-out, from its own authority.
pub fn server_config(config: &Config) -> Result<Arc<ServerConfig>> {
    let (chain, key) = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => (
            read_chain(cert)?,
            PrivateKeyDer::from_pem_file(key)
                .with_context(|| format!("{} holds no private key", key.display()))?,
        ),
        _ => dev_certificate(config)?,
    };
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and its key do not fit together")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .with_context(|| format!("{} cannot be read as certificates", file.display()))?;
    ensure!(!chain.is_empty(), "{} holds no certificate", file.display());
    Ok(chain)
}

/// A certificate for every host of the domain, signed by the authority in the data folder.
fn dev_certificate(config: &Config) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let authority = dev_authority(&config.data)?;
    let host = config.domain.split(':').next().unwrap_or(&config.domain);
    let mut params =
        CertificateParams::new(vec![host.to_owned(), format!("*.{host}"), "localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "Guildhall try-out");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok((vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into())))
}

/// The authority in the data folder; it is made once, so that it has to be trusted once.
fn dev_authority(data: &Path) -> Result<Issuer<'static, KeyPair>> {
    let (certificate, key) = (data.join(DEV_CA), data.join(DEV_CA_KEY));
    if !certificate.exists() || !key.exists() {
        let pair = KeyPair::generate()?;
        let signed = authority()?.self_signed(&pair)?;
        write_private(&key, pair.serialize_pem().as_bytes())?;
        fs::write(&certificate, signed.pem())?;
    }
    let pair = KeyPair::from_pem(&fs::read_to_string(&key)?)
        .with_context(|| format!("{} is broken: delete it and {DEV_CA}", key.display()))?;
    Ok(Issuer::new(authority()?, pair))
}

/// What the authority says of itself; with its key, that is all it is.
fn authority() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Guildhall try-out authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}
