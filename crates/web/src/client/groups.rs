//! Groups, from the second version of Monit's XML: `<servicegroup name="x"><service>a</service>…</servicegroup>`.

/// The services in `group`, upper and lower case being the same.
pub(super) fn members(document: &str, group: &str) -> Vec<String> {
    let document = without_cdata(document);
    let mut names = Vec::new();
    for piece in document.split("<servicegroup ").skip(1) {
        let piece = piece.split("</servicegroup>").next().unwrap_or(piece);
        let Some((head, services)) = piece.split_once('>') else { continue };
        let name = head.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"'));
        if name.is_none_or(|(name, _)| read(name).to_lowercase() != group.to_lowercase()) {
            continue;
        }
        let of = services.split("<service>").skip(1).filter_map(|rest| rest.split_once("</service>"));
        names.extend(of.map(|(name, _)| read(name)));
    }
    names
}

/// What programs print stands in there, and may look like anything.
fn without_cdata(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some((before, inside)) = rest.split_once("<![CDATA[") {
        out += before;
        rest = inside.split_once("]]>").map_or("", |(_, after)| after);
    }
    out + rest
}

/// Undoes the references of XML 1.0, section 4.1. One that is none stands for itself: Monit escapes nothing.
fn read(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out += &rest[..at];
        rest = &rest[at..];
        let meant = rest[1..].split_once(';').and_then(|(name, after)| {
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let number = match number.strip_prefix('x') {
                        Some(digits) => u32::from_str_radix(digits, 16),
                        None => number.parse(),
                    };
                    char::from_u32(number.ok()?)?
                }
            };
            Some((c, after))
        });
        let (c, after) = meant.unwrap_or(('&', &rest[1..]));
        out.push(c);
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn members_are_read_as_they_are_called() {
        let document = "<monit><services><service name=\"a\"><output><![CDATA[<servicegroup name=\"web\">\
                        <service>forged</service></servicegroup>]]></output></service></services><servicegroups>\
                        <servicegroup name=\"mail\"><service>m</service></servicegroup>\
                        <servicegroup name=\"Web&#38;&#xe4;\"><service>a &#60;b&gt;</service><service>c&d</service>\
                        </servicegroup></servicegroups></monit>";
        assert_eq!(members(document, "web&ä"), ["a <b>", "c&d"]);
        assert_eq!(members(document, "web"), [""; 0]);
        assert_eq!(members("", "web"), [""; 0]);
    }
}
