//! Echo requests and their answers, byte by byte.

/// Bytes of the header.
const HEADER: usize = 8;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) v6: bool,
    pub(super) sequence: u16,
    /// What tells it from those of others: it comes back in the answer.
    pub(super) token: u64,
}

impl Packet {
    /// The request, with so many bytes behind its header. The identifier is a part of the token; on a socket for datagrams
    /// the kernel writes its own over it, and the checksum with it.
    pub(super) fn bytes(self, size: u16) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + usize::from(size.max(8))];
        bytes[0] = if self.v6 { 128 } else { 8 };
        bytes[4..6].copy_from_slice(&self.identifier());
        bytes[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[HEADER..HEADER + 8].copy_from_slice(&self.token.to_be_bytes());
        // That of ICMPv6 covers addresses, too: the kernel computes it.
        if !self.v6 {
            let sum = checksum(&bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }

    fn identifier(self) -> [u8; 2] {
        let token = self.token.to_be_bytes();
        [token[6], token[7]]
    }

    /// Whether this is the answer. A raw socket of IPv4 gives the header of IP, too.
    pub(super) fn is_answered_by(self, bytes: &[u8], raw: bool) -> bool {
        let message = match bytes.first() {
            Some(first) if raw && !self.v6 => bytes.get(usize::from(first & 0xf) * 4..).unwrap_or_default(),
            _ => bytes,
        };
        let reply = if self.v6 { 129 } else { 0 };
        message.first() == Some(&reply)
            && (!raw || message.get(4..6) == Some(&self.identifier()))
            && message.get(6..8) == Some(&self.sequence.to_be_bytes())
            && message.get(HEADER..HEADER + 8) == Some(&self.token.to_be_bytes())
    }
}

/// The checksum of the Internet (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sums_up_to_nothing_and_knows_its_answer() {
        let packet = Packet { v6: false, sequence: 7, token: 0x1122_3344_5566_7788 };
        let sent = packet.bytes(9);
        assert_eq!((sent.len(), checksum(&sent)), (17, 0));
        assert!(!packet.is_answered_by(&sent, false), "on the loopback one hears oneself");
        let mut answer = sent.clone();
        answer[0] = 0;
        assert!(packet.is_answered_by(&answer, false));
        let with_header = [&[0x46; 24][..], &answer].concat();
        assert!(packet.is_answered_by(&with_header, true) && !packet.is_answered_by(&with_header, false));
        let other = Packet { sequence: 8, ..packet };
        assert!(!other.is_answered_by(&answer, false));
        for cut in 0..16 {
            assert!(!packet.is_answered_by(&answer[..cut], false));
            let _ = packet.is_answered_by(&with_header[..cut], true);
        }
    }
}
