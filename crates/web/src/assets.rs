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
    use std::collections::BTreeMap;

    use super::*;

    /// The colours of one block of the style sheet, by name: red, green, blue from 0 to 1.
    fn colours(block: &str) -> BTreeMap<&str, [f64; 3]> {
        let lines = block.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        let part =
            |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).map(|n| f64::from(n) / 255.0);
        lines.map(|(name, hex)| (name, [0, 2, 4].map(|at| part(hex, at).unwrap()))).collect()
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let light = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
        f64::max(light(a) / light(b), light(b) / light(a))
    }

    #[test]
    fn every_text_can_be_read_on_every_ground_by_day_and_by_night() {
        let sheet = std::str::from_utf8(STYLE.content).unwrap();
        let blocks: Vec<_> =
            sheet.split(":root {").skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
        for block in &blocks[..2] {
            let colours = colours(block);
            let grounds: Vec<_> =
                colours.keys().filter(|name| **name == "card" || name.ends_with("ground")).collect();
            assert_eq!(grounds.len(), 5);
            for text in ["text", "muted", "link", "up", "failing", "down", "other"] {
                for ground in &grounds {
                    let ratio = contrast(colours[text], colours[**ground]);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn the_hash_is_fnv_1a_and_the_address_its_own() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x85944171f73967e8);
        assert_eq!(find(&STYLE.path).map(|a| a.kind), Some("text/css"));
        assert_eq!(STYLE.path, STYLE.path.to_lowercase(), "addresses of ours are compared in lower case");
        assert!(find("/_assets/page.css").is_none());
    }
}
