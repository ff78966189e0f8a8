use std::path::PathBuf;

/// What is asked of TLS. What is not said here is as the whole configuration says ([`crate::Config::tls`]); what that does
/// not say either is as the language has it: TOML verifies, a control file does not, as Monit 5.33.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// Whether the certificate of the other side is verified.
    pub verify: Option<bool>,
    /// Whether a certificate that signs itself is good enough; it is asked for only if certificates are verified.
    pub self_signed: Option<bool>,
    /// The versions that may be spoken; `None`: 1.2 and 1.3.
    pub versions: Option<TlsVersions>,
    /// Cipher suites, in the notation of OpenSSL's ciphers(1).
    pub ciphers: Option<String>,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust the certificates in this folder.
    pub ca_path: Option<PathBuf>,
    /// Certificate and key that we show to a server; of our own HTTP interface: certificates that its clients must show.
    pub client_pem: Option<PathBuf>,
    /// Certificate and key of our own HTTP interface, in one file.
    pub pem: Option<PathBuf>,
    /// Its chain of certificates; goes with [`Tls::pem_key`].
    pub pem_chain: Option<PathBuf>,
    /// Its key.
    pub pem_key: Option<PathBuf>,
    /// The digest that the certificate of the other side must have.
    pub checksum: Option<Digest>,
}

impl Tls {
    /// These options, and those of `base` for what they leave open.
    pub fn over(&self, base: &Tls) -> Tls {
        fn or<T: Clone>(own: &Option<T>, base: &Option<T>) -> Option<T> {
            own.clone().or_else(|| base.clone())
        }
        Tls {
            verify: self.verify.or(base.verify),
            self_signed: self.self_signed.or(base.self_signed),
            versions: self.versions.or(base.versions),
            ciphers: or(&self.ciphers, &base.ciphers),
            ca_file: or(&self.ca_file, &base.ca_file),
            ca_path: or(&self.ca_path, &base.ca_path),
            client_pem: or(&self.client_pem, &base.client_pem),
            pem: or(&self.pem, &base.pem),
            pem_chain: or(&self.pem_chain, &base.pem_chain),
            pem_key: or(&self.pem_key, &base.pem_key),
            checksum: or(&self.checksum, &base.checksum),
        }
    }
}

/// A set of versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // their names say it
pub struct TlsVersions {
    pub v1_0: bool,
    pub v1_1: bool,
    pub v1_2: bool,
    pub v1_3: bool,
}

impl TlsVersions {
    /// 1.2 and 1.3: what is spoken if nothing else is asked for.
    pub const AUTO: TlsVersions = TlsVersions { v1_0: false, v1_1: false, v1_2: true, v1_3: true };
}

/// A digest that something must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Which function made it.
    pub algorithm: Algorithm,
    /// Its hexadecimal digits, in lower case, without separators.
    pub digits: String,
}

impl Digest {
    /// A digest by its hexadecimal digits, in any case, with or without separators: how many they are says which function
    /// made it. `None` if that fits none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let algorithm = match digits.len() {
            32 => Algorithm::Md5,
            40 => Algorithm::Sha1,
            64 => Algorithm::Sha256,
            _ => return None,
        };
        Some(Self { algorithm, digits: digits.to_ascii_lowercase() })
    }
}

/// A digest function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // their names say it
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Its name, as Monit writes it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }
}
