//! Options of TLS, wherever they stand.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Digest, Tls, TlsVersions};

/// What a table of such options may hold.
const EXAMPLE: &str = "tls = { verify = true, ca-file = \"/etc/ssl/own.pem\" }";

impl Reader<'_> {
    /// A table of options. `what` is how messages call it.
    pub(super) fn tls_table(&mut self, item: &Item<'_>, what: &str) -> Option<Tls> {
        let mut fields = self.fields(item, what, EXAMPLE)?;
        let tls = self.tls_options(&mut fields);
        self.close(fields);
        tls
    }

    /// The options in a table that may hold other things, too.
    pub(super) fn tls_options(&mut self, fields: &mut Fields<'_>) -> Option<Tls> {
        let mut sound = true;
        let mut flag = |reader: &mut Self, key| {
            let item = fields.take(key)?;
            let found = reader.flag(&item);
            sound &= found.is_some();
            found
        };
        let (verify, self_signed) = (flag(self, "verify"), flag(self, "self-signed"));
        let mut path = |reader: &mut Self, key| {
            let item = fields.take(key)?;
            let found = reader.path(&item);
            sound &= found.is_some();
            found
        };
        let tls = Tls {
            verify,
            self_signed,
            ca_file: path(self, "ca-file"),
            ca_path: path(self, "ca-path"),
            client_pem: path(self, "client-pem"),
            pem: path(self, "pem"),
            pem_chain: path(self, "pem-chain"),
            pem_key: path(self, "pem-key"),
            ..Tls::default()
        };
        let versions = fields.take("versions");
        let ciphers = fields.take("ciphers");
        let checksum = fields.take("checksum");
        let versions = versions.map(|item| self.tls_versions(&item));
        let ciphers = ciphers.map(|item| {
            self.text(&item, "cipher suites as ciphers(1) writes them", "\"HIGH\"").map(str::to_owned)
        });
        let checksum = checksum.map(|item| self.digest(&item));
        Some(Tls {
            versions: whole(versions, &mut sound),
            ciphers: whole(ciphers, &mut sound),
            checksum: whole(checksum, &mut sound),
            ..tls
        })
        .filter(|_| sound)
    }

    /// A list of versions, or `"auto"`.
    fn tls_versions(&mut self, item: &Item<'_>) -> Option<TlsVersions> {
        let mut versions = TlsVersions::default();
        if let DeValue::String(word) = item.value
            && word.eq_ignore_ascii_case("auto")
        {
            return Some(TlsVersions::AUTO);
        }
        for item in item.list() {
            let words = [("1.0", 0), ("1.1", 1), ("1.2", 2), ("1.3", 3)];
            match self.word(&item, &words)? {
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
        let text = self.text(
            item,
            "the hexadecimal digits of a digest",
            "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"",
        )?;
        let digest = Digest::parse(text);
        if digest.is_none() {
            let message = format!("`{}` is no digest", item.key);
            let help = "an MD5 has 32 hexadecimal digits, an SHA-1 has 40, an SHA-256 has 64";
            self.error(item.span.clone(), message, help);
        }
        digest
    }
}

/// What was read, if it was written and read; otherwise it is noted that not all of it is sound.
fn whole<T>(read: Option<Option<T>>, sound: &mut bool) -> Option<T> {
    *sound &= !matches!(read, Some(None));
    read.flatten()
}
