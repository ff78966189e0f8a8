//! What a server's XML says of each service, as far as it takes to see what was done to it.

/// How a service stands with the server that was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// When it was looked at last, in microseconds since 1970.
    pub collected: i64,
    /// A bit for each class of failure that stands; 0: it is well.
    pub status: u64,
    /// 0: not watched; otherwise Monit's mask.
    pub monitor: u64,
    /// Its process, where there is one and it is up.
    pub pid: Option<u64>,
}

/// Reads version 1 of Monit's XML: `<service type="…"><name>…</name>…</service>`. What is missing is empty or 0.
pub(super) fn standings(xml: &str) -> Vec<Standing> {
    let mut standings = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find("<service type=") {
        let body = &rest[at..];
        let end = body.find("</service>").unwrap_or(body.len());
        let service = &body[..end];
        // Ports and programs have elements of these names as well, and stand behind.
        let text = |tag: &str| {
            let (_, after) = service.split_once(&format!("<{tag}>"))?;
            Some(after.split_once("</")?.0)
        };
        let number = |tag: &str| text(tag).and_then(|text| text.trim().parse::<i64>().ok());
        let positive = |tag: &str| number(tag).and_then(|n| u64::try_from(n).ok());
        standings.push(Standing {
            name: unescaped(text("name").unwrap_or_default()),
            collected: number("collected_sec").unwrap_or_default().saturating_mul(1_000_000)
                + number("collected_usec").unwrap_or_default(),
            status: positive("status").unwrap_or_default(),
            monitor: positive("monitor").unwrap_or_default(),
            pid: positive("pid").filter(|pid| *pid > 0),
        });
        rest = &body[end..];
    }
    standings
}

fn unescaped(text: &str) -> String {
    let text = text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text);
    ["&lt;<", "&gt;>", "&quot;\"", "&apos;'", "&#39;'", "&amp;&"].iter().fold(
        text.to_owned(),
        |text, pair| {
            let (coded, meant) = pair.split_at(pair.len() - 1);
            text.replace(coded, meant)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_of_each_service_is_read() {
        let xml = "<?xml version=\"1.0\"?><monit><server><id>x</id></server><service type=\"3\"><name>a&amp;b</name>\
                   <collected_sec>17</collected_sec><collected_usec>5</collected_usec><status>0</status>\
                   <monitor>1</monitor><pid>42</pid></service><service type=\"7\"><name>p</name><status>512</status>\
                   <monitor>0</monitor><program><status>3</status></program></service></monit>";
        let [a, p] = standings(xml).try_into().unwrap();
        assert_eq!(
            a,
            Standing { name: "a&b".into(), collected: 17_000_005, status: 0, monitor: 1, pid: Some(42) }
        );
        assert_eq!((p.name.as_str(), p.status, p.monitor, p.pid), ("p", 512, 0, None));
        assert_eq!(standings("no xml"), []);
    }
}
