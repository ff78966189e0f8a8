//! A digest that something must have.

use ring::digest;

/// A digest function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::exhaustive_enums)] // the names say it all
pub enum Function {
    Md5,
    Sha1,
    Sha256,
}

/// A digest that something must have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Digest {
    /// Which function makes it.
    pub function: Function,
    /// Its hexadecimal digits, in lower case.
    pub digits: String,
}

impl Digest {
    /// Whether these bytes have it; otherwise the digits of the one that they have.
    pub(crate) fn holds(&self, bytes: &[u8]) -> Result<(), String> {
        let digits = match self.function {
            Function::Md5 => format!("{:x}", md5::compute(bytes)),
            Function::Sha1 => hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()),
            Function::Sha256 => hex(digest::digest(&digest::SHA256, bytes).as_ref()),
        };
        if digits.eq_ignore_ascii_case(&self.digits) { Ok(()) } else { Err(digits) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_md5sum_and_its_sisters() {
        let of = |function, digits: &str| Digest { function, digits: digits.into() }.holds(b"abc");
        assert_eq!(of(Function::Md5, "900150983CD24FB0D6963F7D28E17F72"), Ok(()));
        assert_eq!(of(Function::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"), Ok(()));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(Function::Sha256, sha256), Ok(()));
        assert_eq!(of(Function::Sha256, "00"), Err(sha256.to_owned()));
    }
}
