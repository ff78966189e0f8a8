//! TLS for tests of servers: rustls with ring, certificates of this host, loaded when first needed and shared.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hinoban_probe::ProbeError;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::OnceCell;

/// Whom a test trusts to vouch for a server.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Nobody need: any certificate will do.
    Any,
    /// The authorities in the bundle of this host.
    Host,
    /// The authorities in this file, once read.
    File(PathBuf, OnceCell<Arc<ClientConfig>>),
}

impl Trust {
    /// With verification or without; against a file or against the bundle of this host.
    pub(crate) fn new(verify: bool, ca_file: Option<PathBuf>) -> Self {
        match (verify, ca_file) {
            (false, _) => Trust::Any,
            (true, None) => Trust::Host,
            (true, Some(file)) => Trust::File(file, OnceCell::new()),
        }
    }

    /// The configuration for a client.
    ///
    /// # Errors
    /// When certificates are to be verified and there is nothing to verify them against. The next call looks again.
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, ProbeError> {
        static HOST: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
        static ANY: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        match self {
            Trust::Host => HOST.get_or_try_init(load).await.cloned(),
            Trust::File(path, loaded) => loaded.get_or_try_init(|| load_file(path.clone())).await.cloned(),
            Trust::Any => {
                if let Some(config) = ANY.get() {
                    return Ok(config.clone());
                }
                let provider = provider();
                let verifier = Arc::new(AcceptAny(provider.clone()));
                let built = builder(provider)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth();
                Ok(ANY.get_or_init(|| Arc::new(whole_handshakes(built))).clone())
            }
        }
    }
}

/// Nothing is trusted: for clients that will never begin TLS but want a configuration.
pub(crate) fn unused_config() -> Result<ClientConfig, ProbeError> {
    Ok(builder(provider())?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

async fn load() -> Result<Arc<ClientConfig>, ProbeError> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found =
        found.map_err(|e| ProbeError::Failed(format!("loading the CA certificates was cut short: {e}")))?;
    let mut roots = RootCertStore::empty();
    // Bundles hold a few certificates that rustls cannot use; they do not spoil the others.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let because = found.errors.first().map(|e| format!(" ({e})")).unwrap_or_default();
        return Err(ProbeError::Failed(format!(
            "no CA certificates were found on this host, so no server certificate can be verified{because}; install the \
             package ca-certificates, or switch verification off for this test"
        )));
    }
    let config = builder(provider())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(whole_handshakes(config)))
}

async fn load_file(path: PathBuf) -> Result<Arc<ClientConfig>, ProbeError> {
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| e.to_string())?;
        certificates.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())
    });
    let found = read.await.map_err(|e| e.to_string()).and_then(|found| found);
    let found =
        found.map_err(|why| ProbeError::Failed(format!("cannot read certificates from {shown}: {why}")))?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 {
        let why = format!("{shown} holds no certificate that could be trusted; it must be in PEM form");
        return Err(ProbeError::Failed(why));
    }
    let config = builder(provider())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(whole_handshakes(config)))
}

/// A resumed session carries no certificate: each test shall see the one the server has now.
fn whole_handshakes(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::disabled();
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ProbeError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ProbeError::Failed(format!("TLS is not available: {e}")))
}

/// What rustls says about a failed handshake, if it was rustls that failed; however often it was wrapped.
pub(crate) fn complaint(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| complaint(inner.downcast_ref::<io::Error>()?))
}

/// Verification switched off: the server must own the key it shows, but may show any certificate.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
