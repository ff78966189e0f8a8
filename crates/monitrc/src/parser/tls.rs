//! `ssl|tls [with options {…}]` and the names of versions.

use std::path::PathBuf;

use hinoban_config::{Mistake, Place};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

/// What is asked of TLS.
pub(super) struct TlsOptions {
    /// Whether the certificate is verified; Monit 5.33 does not unless told to.
    pub(super) verify: bool,
    /// Trust these certificates.
    pub(super) ca_file: Option<PathBuf>,
    /// Where it was written.
    pub(super) place: Place,
}

impl Parser<'_> {
    /// `ssl` or `tls`, which is the next token, and its options.
    pub(super) fn tls(&mut self) -> Parse<TlsOptions> {
        let start = self.take();
        let mut tls = TlsOptions { verify: false, ca_file: None, place: self.place(&start) };
        if self.token.kind != Kind::Open {
            return Ok(tls);
        }
        self.take();
        while self.token.kind != Kind::Close {
            let option = self.token.clone();
            let place = self.place(&option);
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
                    "clientpemfile",
                    "}",
                ]);
            };
            self.take();
            if self.token.kind != Kind::Colon {
                return self.unexpected(&[":"]);
            }
            self.take();
            match key {
                Verify => {
                    tls.verify = match self.key() {
                        Some(Enable) => true,
                        Some(Disable) => false,
                        _ => return self.unexpected(&["enable", "disable"]),
                    };
                    self.take();
                }
                SelfSigned => match self.key() {
                    Some(Reject) => {
                        self.take();
                    }
                    Some(Allow) => return self.unsupported(place, "selfsigned: allow"),
                    _ => return self.unexpected(&["allow", "reject"]),
                },
                Version => {
                    while matches!(self.key(), Some(NewTls | OldTls | DeadSsl)) {
                        self.tls_version()?;
                    }
                    if self.at(MinusTls) {
                        return self.unsupported(place, "leaving out versions of TLS");
                    }
                }
                CaFile => {
                    let path = self.path("a path")?;
                    if !self.around.exists(&path, false) {
                        let mistake = Mistake::error(place, "the file of CA certificates does not exist");
                        self.note(
                            mistake
                                .word(path.display().to_string())
                                .help("correct the path, or take the option away"),
                        );
                    }
                    tls.ca_file = Some(path);
                }
                _ => {
                    let what = self.raw(&option).to_ascii_lowercase();
                    return self.unsupported(place, &format!("the TLS option {what}"));
                }
            }
        }
        self.take();
        Ok(tls)
    }

    /// The name of a version, which is the next token. Every connection is made with TLS 1.2 or 1.3, whichever the
    /// server prefers.
    pub(super) fn tls_version(&mut self) -> Parse<()> {
        let place = self.here();
        let token = self.take();
        let word = self.raw(&token).to_owned();
        if token.is(DeadSsl) {
            let mistake =
                Mistake::error(place, "this version of SSL is not supported by any TLS library").word(word);
            self.note(mistake.help("take it away, or write tlsv12"));
        } else if token.is(OldTls) {
            let mistake = Mistake::warning(place, "TLS 1.2 or newer will be used").word(word);
            self.note(
                mistake
                    .help("versions before 1.2 are broken; take the word away once the server can do better"),
            );
        }
        Ok(())
    }
}
