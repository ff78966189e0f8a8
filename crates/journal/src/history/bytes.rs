//! Numbers in few bytes.

/// Appends seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes such a number off the front; `None`: it is cut short, or too long to be one.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(first & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        n |= bits << shift;
        if first & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

/// Small numbers of either sign become small ones without.
pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The way back.
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Appends what is left of a word without the zero bytes at both of its ends, and before it how many there were.
pub(super) fn put_core(out: &mut Vec<u8>, word: u32) {
    if word == 0 {
        return out.push(0x40);
    }
    let (lead, trail) = (word.leading_zeros() / 8, word.trailing_zeros() / 8);
    out.push((lead << 4 | trail) as u8);
    out.extend_from_slice(&word.to_be_bytes()[lead as usize..4 - trail as usize]);
}

/// Takes such a word off the front.
pub(super) fn take_core(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first()?;
    let (lead, trail) = (usize::from(first >> 4), usize::from(first & 0x0f));
    let core = 4usize.checked_sub(lead + trail)?;
    let (core, rest) = rest.split_at_checked(core)?;
    *bytes = rest;
    let mut word = [0; 4];
    word[lead..lead + core.len()].copy_from_slice(core);
    Some(u32::from_be_bytes(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(n: u64, i: i64, word: u32) {
            let mut out = Vec::new();
            put(&mut out, n);
            put(&mut out, zigzag(i));
            put_core(&mut out, word);
            let mut left = &out[..];
            prop_assert_eq!(take(&mut left), Some(n));
            prop_assert_eq!(take(&mut left).map(unzigzag), Some(i));
            prop_assert_eq!(take_core(&mut left), Some(word));
            prop_assert!(left.is_empty());
        }

        #[test]
        fn what_is_no_number_is_refused_and_never_panics(bytes: Vec<u8>) {
            let mut left = &bytes[..];
            while take(&mut left).is_some() {}
            let mut left = &bytes[..];
            while take_core(&mut left).is_some() {}
        }
    }
}
