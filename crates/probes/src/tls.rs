//! TLS for tests of servers: rustls with ring, certificates of this host, loaded when first needed and shared.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hinoban_probe::ProbeError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::OnceCell;

use crate::certificate::Certificate;
use crate::port::{Tls, Versions};

/// Whom a test trusts to vouch for a server, and what else it asks of TLS.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Nobody need: any certificate will do.
    Any,
    /// The authorities in the bundle of this host.
    Host,
    /// What the options say, once their files are read.
    Own(Box<Tls>, OnceCell<Arc<ClientConfig>>),
}

impl Trust {
    /// As these options say.
    pub(crate) fn new(tls: &Tls) -> Self {
        let Tls { verify, ca_file, ca_path, self_signed, client_pem, versions, .. } = tls;
        let usual = ca_file.is_none() && ca_path.is_none() && !self_signed;
        match (verify, client_pem, versions) {
            (false, None, None) => Trust::Any,
            (true, None, None) if usual => Trust::Host,
            _ => Trust::Own(Box::new(tls.clone()), OnceCell::new()),
        }
    }

    /// The configuration for a client.
    ///
    /// # Errors
    /// When certificates are to be verified and there is nothing to verify them against. The next call looks again.
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, ProbeError> {
        static ANY: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        match self {
            Trust::Host => host().await,
            Trust::Own(tls, made) => made.get_or_try_init(|| make(tls)).await.cloned(),
            Trust::Any => {
                if let Some(config) = ANY.get() {
                    return Ok(config.clone());
                }
                let provider = provider();
                let verifier = Arc::new(AcceptAny(provider.clone()));
                let built = builder(provider, None)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth();
                Ok(ANY.get_or_init(|| Arc::new(whole_handshakes(built))).clone())
            }
        }
    }
}

/// What the authorities of this host vouch for; read once for all tests.
async fn host() -> Result<Arc<ClientConfig>, ProbeError> {
    static HOST: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    HOST.get_or_try_init(load).await.cloned()
}

/// Nothing is trusted: for clients that will never begin TLS but want a configuration.
pub(crate) fn unused_config() -> Result<ClientConfig, ProbeError> {
    Ok(builder(provider(), None)?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

async fn load() -> Result<Arc<ClientConfig>, ProbeError> {
    let roots = blocking(bundle).await?;
    let config = builder(provider(), None)?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(whole_handshakes(config)))
}

/// Files are read where nobody else waits.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ProbeError> + Send + 'static,
) -> Result<T, ProbeError> {
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|e| ProbeError::Failed(format!("loading certificates was cut short: {e}")))?
}

/// The authorities in the bundle of this host.
fn bundle() -> Result<RootCertStore, ProbeError> {
    let found = rustls_native_certs::load_native_certs();
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
    Ok(roots)
}

async fn make(tls: &Tls) -> Result<Arc<ClientConfig>, ProbeError> {
    let tls = tls.clone();
    blocking(move || {
        let provider = provider();
        let begun = builder(provider.clone(), tls.versions)?;
        let verifier: Arc<dyn ServerCertVerifier> =
            if tls.verify { verified(&tls, provider)? } else { Arc::new(AcceptAny(provider)) };
        let begun = begun.dangerous().with_custom_certificate_verifier(verifier);
        let config = match &tls.client_pem {
            None => begun.with_no_client_auth(),
            Some(path) => {
                let unusable = |why: String| {
                    let path = path.display();
                    ProbeError::Failed(format!(
                        "{path} cannot be shown to a server: {why}; it must hold a certificate and its key in PEM form"
                    ))
                };
                let chain = CertificateDer::pem_file_iter(path)
                    .and_then(Iterator::collect)
                    .map_err(|e| unusable(e.to_string()))?;
                let key = PrivateKeyDer::from_pem_file(path).map_err(|e| unusable(e.to_string()))?;
                begun.with_client_auth_cert(chain, key).map_err(|e| unusable(e.to_string()))?
            }
        };
        Ok(Arc::new(whole_handshakes(config)))
    })
    .await
}

/// Certificates are verified against the file, the folder, or else the bundle of this host.
fn verified(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ProbeError> {
    let roots = match (&tls.ca_file, &tls.ca_path) {
        (None, None) => bundle(),
        (file, folder) => authorities(file.as_deref(), folder.as_deref()),
    };
    let inner = match roots {
        Ok(roots) => {
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(built.map_err(|e| ProbeError::Failed(format!("certificates cannot be verified: {e}")))?)
        }
        Err(_) if tls.self_signed => None,
        Err(error) => return Err(error),
    };
    match inner {
        Some(inner) if !tls.self_signed => Ok(inner),
        inner => Ok(Arc::new(SelfSigned { inner, otherwise: AcceptAny(provider) })),
    }
}

fn authorities(file: Option<&Path>, folder: Option<&Path>) -> Result<RootCertStore, ProbeError> {
    let mut roots = RootCertStore::empty();
    let mut usable = 0;
    if let Some(file) = file {
        let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let read = read.map_err(|e| {
            ProbeError::Failed(format!("cannot read certificates from {}: {e}", file.display()))
        })?;
        usable += roots.add_parsable_certificates(read).0;
    }
    if let Some(folder) = folder {
        let entries = std::fs::read_dir(folder).map_err(|e| {
            ProbeError::Failed(format!("cannot read certificates from {}: {e}", folder.display()))
        })?;
        for entry in entries.flatten() {
            // What is no certificate is none of ours: such folders hold keys and notes, too.
            let Ok(found) = CertificateDer::pem_file_iter(entry.path()) else { continue };
            usable += roots.add_parsable_certificates(found.flatten()).0;
        }
    }
    match usable {
        0 => {
            let place = file.or(folder).unwrap_or(Path::new("")).display();
            let why = format!("{place} holds no certificate that could be trusted; it must be in PEM form");
            Err(ProbeError::Failed(why))
        }
        _ => Ok(roots),
    }
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
    versions: Option<Versions>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ProbeError> {
    let begun = ClientConfig::builder_with_provider(provider);
    let begun = match versions {
        None => begun.with_safe_default_protocol_versions(),
        Some(Versions::Tls12) => begun.with_protocol_versions(&[&rustls::version::TLS12]),
        Some(Versions::Tls13) => begun.with_protocol_versions(&[&rustls::version::TLS13]),
    };
    begun.map_err(|e| ProbeError::Failed(format!("TLS is not available: {e}")))
}

/// What rustls says about a failed handshake, if it was rustls that failed; however often it was wrapped.
pub(crate) fn complaint(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| complaint(inner.downcast_ref::<io::Error>()?))
}

/// The same in words: what is most often behind it is said by its name.
pub(crate) fn told(complaint: &rustls::Error) -> String {
    match complaint {
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            "SSL connection error: what is there does not speak TLS".to_owned()
        }
        // That is how whoever signs a certificate with itself most often makes it.
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) if is_authority(other) => {
            "SSL server certificate verification error: the server shows the certificate of an authority, which one that \
             signs itself mostly is; let it have one that an authority signed, or allow those that sign themselves"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "SSL server certificate verification error: nobody who is trusted here signed it; name the file of \
             certificates of who did"
                .to_owned()
        }
        complaint => format!("SSL connection error: {complaint}"),
    }
}

/// rustls has no name of its own for that.
fn is_authority(other: &rustls::OtherError) -> bool {
    other.to_string().contains("CaUsedAsEndEntity")
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

/// As the verifier inside; but a certificate that signs itself and is not over yet is good enough.
#[derive(Debug)]
struct SelfSigned {
    /// `None`: there is nobody to vouch for any other certificate.
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// Judges signatures, which the certificate's own key must have made in any case.
    otherwise: AcceptAny,
}

impl ServerCertVerifier for SelfSigned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = Certificate::read(end_entity);
        let over = |end: i64| end < i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match certificate {
            Some(own) if own.self_signed && intermediates.is_empty() => match over(own.end) {
                false => Ok(ServerCertVerified::assertion()),
                true => Err(rustls::CertificateError::Expired.into()),
            },
            _ => match &self.inner {
                Some(inner) => {
                    inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                }
                None => Err(CertificateError::UnknownIssuer.into()),
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.otherwise.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.otherwise.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.otherwise.supported_verify_schemes()
    }
}
