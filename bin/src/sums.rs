//! Digests of whole files, read to their end right here: for a command line, not for the daemon.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use hinoban::config::Algorithm;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// So much is read at a time.
const PIECE: usize = 64 << 10;

/// The digest of all that can be read, in hexadecimal digits.
///
/// # Errors
/// As reading does.
pub(crate) fn sum(mut from: impl Read, algorithm: Algorithm) -> io::Result<String> {
    let mut md5 = md5::Context::new();
    let mut sha = Context::new(match algorithm {
        Algorithm::Sha256 => &SHA256,
        _ => &SHA1_FOR_LEGACY_USE_ONLY,
    });
    let mut piece = vec![0; PIECE];
    loop {
        let bytes = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => &piece[..n],
            Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why),
        };
        match algorithm {
            Algorithm::Md5 => md5.consume(bytes),
            _ => sha.update(bytes),
        }
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(match algorithm {
        Algorithm::Md5 => hex(&md5.finalize().0),
        _ => hex(sha.finish().as_ref()),
    })
}

/// The same of a regular file; `None` if there is none that can be read.
pub(crate) fn of_file(path: &Path, algorithm: Algorithm) -> Option<String> {
    // Opening a pipe would wait for somebody to write.
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    sum(File::open(path).ok()?, algorithm).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let of = |algorithm| sum(&b"abc"[..], algorithm).unwrap();
        assert_eq!(of(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of(Algorithm::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(of(Algorithm::Sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn only_regular_files_have_one() {
        assert_eq!(of_file(Path::new("/dev/zero"), Algorithm::Md5), None);
        assert_eq!(of_file(Path::new("/no/such"), Algorithm::Md5), None);
    }
}
