//! What pages load beside their text: one style sheet, one icon. Each address holds a hash of the content, so that
//! browsers may keep it for ever and never show an old one.

use std::sync::LazyLock;

/// A file that pages name.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is served.
    pub(crate) path: String,
    pub(crate) kind: &'static str,
    pub(crate) content: &'static [u8],
}

/// The style sheet of all pages.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| asset("page", "css", "text/css", include_bytes!("../assets/page.css")));

/// The icon of all pages.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")));

fn asset(name: &str, extension: &str, kind: &'static str, content: &'static [u8]) -> Asset {
    Asset { path: format!("/_assets/{name}-{:016x}.{extension}", hash(content)), kind, content }
}

/// The asset that is served there.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*ICON].into_iter().find(|asset| asset.path == path)
}

/// FNV-1a, 64 bits: it tells versions of one file apart, and guards nothing.
fn hash(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_the_address_its_own() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x85944171f73967e8);
        assert_eq!(find(&STYLE.path).map(|a| a.kind), Some("text/css"));
        assert_eq!(STYLE.path, STYLE.path.to_lowercase(), "addresses of ours are compared in lower case");
        assert!(find("/_assets/page.css").is_none());
    }
}
