//! `ssl|tls [with options {…}]`, the names of versions, and what a certificate must be.

use std::path::PathBuf;

use hinoban_config::{Algorithm, Digest, Mistake, Place, Tls, TlsVersions};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::{self, *};
use crate::token::Kind;

/// What a statement asks of TLS, gathered from wherever in it that stands.
#[derive(Default)]
pub(super) struct Asked {
    /// Whether TLS is spoken: ciphers alone, or empty braces, do not begin it.
    pub(super) on: bool,
    /// How.
    pub(super) tls: Tls,
    /// Where it was asked for last.
    pub(super) place: Option<Place>,
}

/// Whether this word is the name of a version, or of one that is taken out.
pub(super) fn is_version(key: Option<Keyword>) -> bool {
    matches!(key, Some(NewTls | OldTls | DeadSsl | MinusTls))
}

impl Parser<'_> {
    /// `ssl` or `tls`, which is the next token, and its options.
    pub(super) fn tls(&mut self, asked: &mut Asked) -> Parse<()> {
        let start = self.take();
        let place = self.place(&start);
        asked.place = Some(place.clone());
        if self.token.kind != Kind::Open {
            asked.on = true;
            return Ok(());
        }
        self.tls_options(asked)?;
        if !asked.on {
            let mistake = Mistake::warning(place, "these options alone begin no TLS");
            self.advise(mistake.help("as in Monit, nothing is encrypted; write 'with ssl' beside them"));
        }
        Ok(())
    }

    /// `{ OPTION: VALUE … }`, which is next. Options add to those that were there before.
    pub(super) fn tls_options(&mut self, asked: &mut Asked) -> Parse<()> {
        if self.token.kind != Kind::Open {
            return self.unexpected(&["{"]);
        }
        self.take();
        while self.token.kind != Kind::Close {
            let Some(key @ (Verify | SelfSigned | Version | Cipher | CaFile | CaPath | PemFile)) = self.key()
            else {
                return self.unexpected(&[
                    "verify",
                    "selfsigned",
                    "version",
                    "ciphers",
                    "cacertificatefile",
                    "cacertificatepath",
                    "pemfile",
                    "pemchain",
                    "pemkey",
                    "clientpemfile",
                    "}",
                ]);
            };
            let option = self.take();
            if self.token.kind != Kind::Colon {
                return self.unexpected(&[":"]);
            }
            self.take();
            asked.on |= key != Cipher;
            match key {
                Verify => asked.tls.verify = Some(self.either(Enable, Disable, &["enable", "disable"])?),
                SelfSigned => {
                    asked.tls.self_signed = Some(self.either(Allow, Reject, &["allow", "reject"])?);
                }
                Version => {
                    while is_version(self.key()) {
                        self.tls_version(asked)?;
                    }
                }
                Cipher => asked.tls.ciphers = Some(self.string("a list of cipher suites in quotes")?),
                _ => {
                    let word = self.raw(&option).to_ascii_lowercase();
                    let slot = match word.as_str() {
                        "cacertificatefile" => &mut asked.tls.ca_file,
                        "cacertificatepath" => &mut asked.tls.ca_path,
                        "clientpemfile" => &mut asked.tls.client_pem,
                        "pemchain" => &mut asked.tls.pem_chain,
                        "pemkey" => &mut asked.tls.pem_key,
                        _ => &mut asked.tls.pem,
                    };
                    self.tls_file(slot, &word)?;
                }
            }
        }
        self.take();
        Ok(())
    }

    /// Whether the first of two words comes.
    fn either(&mut self, yes: Keyword, no: Keyword, expected: &[&str]) -> Parse<bool> {
        let found = self.at(yes);
        if !found && !self.at(no) {
            return self.unexpected(expected);
        }
        self.take();
        Ok(found)
    }

    /// The file or folder of an option: it is there, and it is named once.
    pub(super) fn tls_file(&mut self, slot: &mut Option<PathBuf>, option: &str) -> Parse<()> {
        let place = self.here();
        let path = self.path("a path")?;
        let folder = option == "cacertificatepath";
        let what = match option {
            "cacertificatefile" => "SSL CA certificates file",
            "cacertificatepath" => "SSL CA certificates directory",
            "clientpemfile" => "SSL client PEM file",
            "pemchain" => "SSL certificate chain PEM file",
            "pemkey" => "SSL server private key PEM file",
            _ => "SSL server PEM file",
        };
        let flaw = if slot.is_some() {
            Some((format!("Duplicate {what}"), "take one of the two away"))
        } else if !self.around.exists(&path, false) {
            Some((format!("{what} doesn't exist"), "correct the path, or take the option away"))
        } else if self.around.is_directory(&path).is_some_and(|found| found != folder) {
            let wanted = if folder { "directory" } else { "file" };
            Some((format!("{what} is not a {wanted}"), "correct the path"))
        } else {
            None
        };
        if let Some((message, help)) = flaw {
            self.note(Mistake::error(place, message).word(path.display().to_string()).help(help));
        }
        slot.get_or_insert(path);
        Ok(())
    }

    /// The name of a version, which is the next token: one more that may be spoken, or, behind a minus, one less of those
    /// that were named so far.
    pub(super) fn tls_version(&mut self, asked: &mut Asked) -> Parse<()> {
        let place = self.here();
        let token = self.take();
        let word = self.raw(&token).to_owned();
        asked.on = true;
        if token.is(DeadSsl) {
            let version = word.chars().last().unwrap_or('3');
            let message = format!("Your SSL Library does not support SSL version {version}");
            let mistake = Mistake::error(place, message).word(word);
            self.note(mistake.help("no library does any more; take it away, or write tlsv12"));
            return Ok(());
        }
        let name = word.to_ascii_lowercase();
        if let Some(name) = name.strip_prefix('-') {
            if let Some(versions) = &mut asked.tls.versions {
                set(versions, name, false);
                if *versions == TlsVersions::default() {
                    let mistake = Mistake::warning(place, "no version of TLS is left").word(word);
                    self.advise(mistake.help("every connection will fail; name one that may be spoken"));
                }
            }
            return Ok(());
        }
        set(asked.tls.versions.get_or_insert_default(), &name, true);
        if token.is(OldTls) {
            let mistake = Mistake::warning(place, "TLS 1.2 or newer will be used").word(word);
            self.advise(
                mistake
                    .help("versions before 1.2 are broken; take the word away once the server can do better"),
            );
        }
        Ok(())
    }

    /// `certmd5 DIGEST`, which is next.
    pub(super) fn cert_md5(&mut self, asked: &mut Asked) -> Parse<()> {
        self.take();
        asked.tls.checksum = Some(self.digest(Some(Algorithm::Md5))?);
        asked.on = true;
        Ok(())
    }

    /// `checksum [md5|sha1|sha256] [=] DIGEST` behind `certificate` or `rsakey`, which is next.
    pub(super) fn expected_digest(&mut self) -> Parse<Digest> {
        self.need(Checksum, &["checksum"])?;
        let algorithm = match self.key() {
            Some(Md5) => Some(Algorithm::Md5),
            Some(Sha1) => Some(Algorithm::Sha1),
            // No word of 5.33, and no digest either.
            _ if self.at_word(&["sha256"]) => Some(Algorithm::Sha256),
            _ => None,
        };
        if algorithm.is_some() {
            self.take();
        }
        self.eat(Equal);
        self.digest(algorithm)
    }

    /// A digest, of this kind if one was named.
    pub(super) fn digest(&mut self, named: Option<Algorithm>) -> Parse<Digest> {
        if self.token.kind == Kind::Number {
            let digits = self.raw(&self.token);
            let help = format!("a checksum of digits only goes into quotes: \"{digits}\"");
            return self.refuse(help);
        }
        let place = self.here();
        let text = self.string("a checksum")?;
        let found = Digest::parse(&text);
        let (message, help) = match (found, named) {
            (Some(digest), named) if named.is_none_or(|named| named == digest.algorithm) => {
                return Ok(digest);
            }
            (Some(_), _) => {
                ("this checksum is of another kind", "its length says so; name that kind, or none at all")
            }
            (None, _) => (
                "Unknown checksum type: it is not MD5 nor SHA1",
                "an MD5 has 32 hexadecimal digits, an SHA-1 has 40, an SHA-256 has 64",
            ),
        };
        self.note(Mistake::error(place, message).word(text).help(help));
        Err(Wrong)
    }
}

fn set(versions: &mut TlsVersions, name: &str, spoken: bool) {
    match name {
        "tlsv1" => versions.v1_0 = spoken,
        "tlsv11" => versions.v1_1 = spoken,
        "tlsv12" => versions.v1_2 = spoken,
        "tlsv13" => versions.v1_3 = spoken,
        "auto" | "sslauto" => (versions.v1_2, versions.v1_3) = (spoken, spoken),
        _ => {}
    }
}
