//! What is asked of TLS: a table of the same keys wherever a connection is made.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Digest, Tls, TlsVersions};

impl Reader<'_> {
    /// `{ verify = true, … }`
    pub(super) fn tls_table(&mut self, item: &Item<'_>) -> Option<Tls> {
        const HELP: &str = "for example: tls = { verify = true, ca-file = \"/etc/ssl/own.pem\" }";
        let mut fields = self.fields(item, format!("`{}`", item.key), HELP)?;
        let tls = self.tls_keys(&mut fields);
        self.close(fields);
        tls
    }

    /// The same of a table that may hold other keys beside.
    pub(super) fn tls_keys(&mut self, fields: &mut Fields<'_>) -> Option<Tls> {
        const KEYS: [&str; 11] = [
            "verify",
            "self-signed",
            "versions",
            "ciphers",
            "ca-file",
            "ca-path",
            "client-pem",
            "pem",
            "pem-chain",
            "pem-key",
            "checksum",
        ];
        // A mistake in one of them leaves the others known.
        for key in KEYS {
            fields.take(key);
        }
        let mut tls = Tls::default();
        for (key, value) in [("verify", &mut tls.verify), ("self-signed", &mut tls.self_signed)] {
            if let Some(item) = fields.take(key) {
                *value = Some(self.flag(&item)?);
            }
        }
        if let Some(item) = fields.take("versions") {
            tls.versions = Some(self.versions(&item)?);
        }
        if let Some(item) = fields.take("ciphers") {
            let text = self.text(&item, "names of cipher suites", "\"HIGH:!aNULL\"")?;
            tls.ciphers = Some(text.to_owned());
        }
        let paths = [
            ("ca-file", &mut tls.ca_file),
            ("ca-path", &mut tls.ca_path),
            ("client-pem", &mut tls.client_pem),
            ("pem", &mut tls.pem),
            ("pem-chain", &mut tls.pem_chain),
            ("pem-key", &mut tls.pem_key),
        ];
        for (key, value) in paths {
            if let Some(item) = fields.take(key) {
                *value = Some(self.path(&item)?);
            }
        }
        if let Some(item) = fields.take("checksum") {
            tls.checksum = Some(self.digest(&item)?);
        }
        Some(tls)
    }

    /// `["1.2", "1.3"]`
    fn versions(&mut self, item: &Item<'_>) -> Option<TlsVersions> {
        const WORDS: [(&str, u8); 4] = [("1.0", 0), ("1.1", 1), ("1.2", 2), ("1.3", 3)];
        let mut versions = TlsVersions::default();
        for item in item.list() {
            if let DeValue::Float(number) = item.value {
                let help = format!("write it in quotes: \"{}\"", number.as_str());
                self.wrong(&item, "a list of texts", help);
                return None;
            }
            match self.word(&item, &WORDS)? {
                0 => versions.v1_0 = true,
                1 => versions.v1_1 = true,
                2 => versions.v1_2 = true,
                _ => versions.v1_3 = true,
            }
        }
        Some(versions)
    }

    /// The hexadecimal digits of a digest.
    pub(super) fn digest(&mut self, item: &Item<'_>) -> Option<Digest> {
        const HELP: &str =
            "it has 32 hexadecimal digits if it is an MD5 digest, 40 for SHA-1 and 64 for SHA-256";
        let text =
            self.text(item, "the hexadecimal digits of a digest", "\"d41d8cd98f00b204e9800998ecf8427e\"")?;
        let strange = text.chars().any(|c| !c.is_ascii_hexdigit() && !matches!(c, ':' | '-' | ' '));
        match Digest::parse(text).filter(|_| !strange) {
            Some(digest) => Some(digest),
            None => {
                self.error(item.span.clone(), format!("`{}` is no digest: \"{text}\"", item.key), HELP);
                None
            }
        }
    }
}
