//! What the certificate of a mail server must be, and how TLS with it is set up.

use std::path::{Path, PathBuf};

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters, TlsVersion};

/// How a mail server is trusted, beside [`super::Server::verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Trust the certificates in this file (PEM) instead of the host's.
    pub ca_file: Option<PathBuf>,
    /// Trust those in the files of this folder, too.
    pub ca_path: Option<PathBuf>,
    /// Speak TLS 1.3 only; otherwise 1.2, too.
    pub newest: bool,
    /// The digest that its certificate must have, verified or not: 32 (MD5), 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
    pub checksum: Option<String>,
}

impl Trust {
    /// Sets TLS up. Reads certificates: for a thread that may block.
    ///
    /// # Errors
    /// A sentence: a file of certificates cannot be read, or holds none.
    pub(super) fn parameters(&self, host: String, verify: bool) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(host)
            .dangerous_accept_invalid_certs(!verify)
            .dangerous_accept_invalid_hostnames(!verify);
        if self.newest {
            builder = builder.set_min_tls_version(TlsVersion::Tlsv13);
        }
        let own = self.ca_file.is_some() || self.ca_path.is_some();
        let store = if verify && !own { CertificateStore::Default } else { CertificateStore::None };
        builder = builder.certificate_store(store);
        if verify {
            for certificate in self.certificates()? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        builder.build_rustls().map_err(|e| format!("TLS cannot be set up: {e}"))
    }

    fn certificates(&self) -> Result<Vec<Certificate>, String> {
        let mut found: Vec<Certificate> =
            self.ca_file.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        if let Some(folder) = &self.ca_path {
            let shown = folder.display();
            let entries = std::fs::read_dir(folder).map_err(|e| format!("{shown} cannot be read: {e}"))?;
            // What else is in the folder is nobody's mistake.
            found.extend(entries.flatten().filter_map(|entry| read(&entry.path()).ok()));
        }
        Ok(found)
    }

    /// Whether a certificate (DER) is the one that is expected.
    ///
    /// # Errors
    /// A sentence, with the digest that it has.
    pub(super) fn judge(&self, certificate: &[u8]) -> Result<(), String> {
        let Some(expected) = &self.checksum else { return Ok(()) };
        let found = match expected.len() {
            32 => hex(&md5::compute(certificate).0),
            40 => hex(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()),
            _ => hex(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref()),
        };
        match found.eq_ignore_ascii_case(expected) {
            true => Ok(()),
            false => Err(format!("its certificate has the checksum {found}, not {expected}")),
        }
    }
}

fn read(path: &Path) -> Result<Certificate, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    Certificate::from_pem(&text).map_err(|_| format!("{shown} holds no certificate"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
