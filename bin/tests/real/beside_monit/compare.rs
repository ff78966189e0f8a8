//! Two documents about the same things, taken at nearly the same moment: what is not alike in them.

/// How far two numbers of an element, or of a line, may lie apart: absolutely, or as a part of the larger.
#[derive(Debug, Clone, Copy)]
enum Leeway {
    /// Anything: it is another instance, or another moment.
    Free,
    Near(f64, f64),
}

use Leeway::{Free, Near};

impl Leeway {
    fn admits(self, a: f64, b: f64) -> bool {
        match self {
            Free => true,
            // Below zero stands for "not known", which is no number near zero.
            Near(..) if (a < 0.0) != (b < 0.0) => false,
            Near(absolute, relative) => (a - b).abs() <= absolute.max(relative * a.abs().max(b.abs())),
        }
    }
}

const EXACT: Leeway = Near(0.0, 0.0);

/// Elements of the XML whose numbers may differ, by the end of their path. All others are equal to the letter.
const ELEMENTS: [(&str, Leeway); 38] = [
    // Who speaks, where, since when.
    ("server/id", Free),
    ("monit/@id=", Free),
    ("server/incarnation", Near(5.0, 0.0)),
    ("monit/@incarnation=", Near(5.0, 0.0)),
    ("server/uptime", Near(2.0, 0.0)),
    ("server/controlfile", Free),
    ("httpd/port", Free),
    ("/collected_sec", Near(2.0, 0.0)),
    ("/collected_usec", Free),
    ("every/counter", Near(5.0, 0.0)),
    // What moves while we look.
    ("filedescriptors/allocated", Near(256.0, 0.3)),
    ("filedescriptors/unused", Near(256.0, 0.3)),
    ("load/avg01", Near(0.5, 0.2)),
    ("load/avg05", Near(0.2, 0.1)),
    ("load/avg15", Near(0.1, 0.1)),
    ("system/cpu/user", Near(40.0, 0.0)),
    ("system/cpu/system", Near(40.0, 0.0)),
    ("system/cpu/nice", Near(40.0, 0.0)),
    ("system/cpu/wait", Near(40.0, 0.0)),
    ("system/cpu/softirq", Near(5.0, 0.0)),
    ("system/memory/percent", Near(1.0, 0.2)),
    ("system/memory/kilobyte", Near(102_400.0, 0.2)),
    ("service/uptime", Near(2.0, 0.0)),
    ("service/cpu/percent", Near(5.0, 0.0)),
    ("service/cpu/percenttotal", Near(5.0, 0.0)),
    // Monit reads /proc/PID/stat, for which the kernel adds up loosely: up to 64 pages off per processor.
    ("service/memory/kilobyte", Near(1024.0, 0.02)),
    ("service/memory/kilobytetotal", Near(1024.0, 0.02)),
    ("service/memory/percenttotal", Near(0.1, 0.0)),
    ("/count", Free),
    ("bytesgeneric/total", Near(4096.0, 0.1)),
    ("bytes/total", Near(1_048_576.0, 0.02)),
    ("operations/total", Near(50.0, 0.02)),
    ("/responsetime", Near(1.0, 0.0)),
    ("program/started", Near(3.0, 0.0)),
    ("block/usage", Near(16.0, 0.02)),
    ("inode/usage", Near(100.0, 0.02)),
    ("servicetime/read", Free),
    ("servicetime/write", Free),
];

/// Lines of the text whose numbers may differ, by their key. Sizes are compared in bytes, times in seconds. All
/// others are equal to the letter.
const LINES: [(&str, Leeway); 21] = [
    ("load average", Near(0.5, 0.2)),
    ("cpu", Near(40.0, 0.0)),
    ("cpu total", Near(40.0, 0.0)),
    ("memory usage", Near(1e8, 0.2)),
    ("memory", Near(1_048_576.0, 0.02)),
    ("memory total", Near(1_048_576.0, 0.02)),
    ("uptime", Near(1.0, 0.0)),
    ("boot time", Near(59.0, 0.0)),
    ("filedescriptors", Near(256.0, 0.3)),
    ("data collected", Near(59.0, 0.0)),
    ("space free for non superuser", Near(0.1, 0.02)),
    ("space free total", Near(0.1, 0.02)),
    ("inodes free", Near(100.0, 0.02)),
    // The rate moves freely, and with it how it is written.
    ("read bytes", Near(1e12, 0.0)),
    ("write bytes", Near(1e12, 0.0)),
    ("disk read bytes", Near(1e12, 0.0)),
    ("disk write bytes", Near(1e12, 0.0)),
    ("disk read operations", Near(1e9, 0.0)),
    ("disk write operations", Near(1e9, 0.0)),
    ("service time", Near(10.0, 0.0)),
    ("port response time", Near(1.0, 0.0)),
];

/// Lines that are ours alone.
const OURS: [&str; 7] =
    ["reason", "down since", "given up", "not seen", "waiting for", "not visible", "last ending"];

/// The sub-elements of a document in order: where each is, its attributes, its text.
fn elements(xml: &str) -> Vec<(String, String)> {
    let mut path: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let mut rest = xml.split_once("?>").unwrap().1;
    while let Some(begin) = rest.strip_prefix('<') {
        let (tag, behind) = begin.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(path.pop(), Some(name), "{xml}");
        } else {
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            path.push(name);
            let place = path.join("/");
            for attribute in attributes.split_terminator('"').collect::<Vec<_>>().chunks(2) {
                found.push((format!("{place}/@{}", attribute[0].trim()), attribute[1].to_owned()));
            }
            found.push((place, String::new()));
        }
        rest = behind;
        let end = match rest.strip_prefix("<![CDATA[") {
            Some(data) => rest.len() - data.len() + data.find("]]>").unwrap() + 3,
            None => rest.find('<').unwrap_or(rest.len()),
        };
        if end > 0 {
            found.last_mut().unwrap().1 += &rest[..end];
        }
        rest = &rest[end..];
    }
    assert!(rest.is_empty() && path.is_empty(), "{rest}");
    found
}

/// What differs between two documents, ours second: first whether they have the same elements in the same order, then
/// the values.
pub(super) fn xml(theirs: &str, ours: &str) -> Vec<String> {
    let (theirs, ours) = (elements(theirs), elements(ours));
    if let Some(at) = (0..theirs.len().max(ours.len()))
        .find(|at| theirs.get(*at).map(|e| &e.0) != ours.get(*at).map(|e| &e.0))
    {
        let around = |list: &[(String, String)]| {
            list[at.saturating_sub(12).min(list.len())..][..]
                .iter()
                .take(16)
                .map(|(path, text)| format!("{path}={text}"))
                .collect::<Vec<_>>()
                .join("\n  ")
        };
        return vec![format!("other elements: Monit\n  {}\nwe\n  {}", around(&theirs), around(&ours))];
    }
    let mut name = "";
    let mut found = Vec::new();
    for ((path, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        if path.ends_with("service/name") || path.ends_with("service/@name=") {
            name = ours;
        }
        let leeway = ELEMENTS.iter().find(|(end, _)| path.ends_with(end)).map_or(EXACT, |e| e.1);
        if !like(theirs, ours, leeway) {
            found.push(format!("{name} {path}: Monit {theirs}, we {ours}"));
        }
    }
    found
}

/// Whether two values are alike: the same number of decimals, and near enough.
fn like(a: &str, b: &str, leeway: Leeway) -> bool {
    let decimals = |text: &str| text.split_once('.').map(|(_, decimals)| decimals.len());
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => decimals(a) == decimals(b) && leeway.admits(x, y),
        _ => a == b || (matches!(leeway, Free) && !a.is_empty() && !b.is_empty()),
    }
}

/// What differs between two texts, ours second: the blocks, the keys in each and their order, the values.
pub(super) fn text(theirs: &str, ours: &str) -> Vec<String> {
    let lines = |text: &str| -> Vec<String> {
        let ours = |line: &&str| !OURS.iter().any(|key| line.starts_with(&format!("  {key:<28} ")));
        text.lines().filter(ours).map(str::to_owned).collect()
    };
    let (theirs, ours) = (lines(theirs), lines(ours));
    if theirs.len() != ours.len() {
        return vec![format!(
            "{} lines of Monit's, {} of ours:\n{}",
            theirs.len(),
            ours.len(),
            ours.join("\n")
        )];
    }
    let mut name = "";
    let mut found = Vec::new();
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let key = ours.get(2..30).filter(|_| ours.starts_with("  ")).map(str::trim_end);
        if key.is_none() {
            name = ours;
        }
        let leeway = LINES.iter().find(|(k, _)| Some(*k) == key).map_or(EXACT, |l| l.1);
        let leeway = if theirs.starts_with("Monit ") { Near(1.0, 0.0) } else { leeway };
        let ((words, numbers), (our_words, our_numbers)) = (figures(theirs), figures(ours));
        let near = numbers.iter().zip(&our_numbers).all(|(a, b)| leeway.admits(*a, *b));
        if words != our_words || !near {
            found.push(format!("{name}\nMonit {theirs:?}\nwe    {ours:?}"));
        }
    }
    found
}

/// A line without its numbers, and the numbers, each in the unit behind it. Colours and addresses are words.
fn figures(line: &str) -> (String, Vec<f64>) {
    const UNITS: [(&str, f64); 10] = [
        (" B", 1.0),
        (" kB", 1024.0),
        (" MB", 1_048_576.0),
        (" GB", 1_073_741_824.0),
        (" TB", 1_099_511_627_776.0),
        (" ms", 0.001),
        (" s", 1.0),
        ("k", 1.0),
        ("%", 1.0),
        ("", 1.0),
    ];
    let (mut words, mut numbers) = (String::new(), Vec::new());
    let mut rest = line;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit() || c == '\x1b') {
        words += &rest[..begin];
        rest = &rest[begin..];
        let end = match rest.strip_prefix('\x1b') {
            Some(colour) => 2 + colour.find('m').unwrap(),
            None => rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()),
        };
        let (number, behind) = rest.split_at(end);
        rest = behind;
        let Ok(number) = number.parse::<f64>() else {
            words += number;
            continue;
        };
        let whole = |unit: &str| !rest[unit.len()..].starts_with(|c: char| c.is_ascii_alphabetic());
        let (unit, scale) =
            UNITS.iter().find(|(unit, _)| rest.starts_with(unit) && whole(unit)).unwrap_or(&UNITS[9]);
        rest = &rest[unit.len()..];
        numbers.push(number * scale);
        words.push('#');
    }
    (words + rest, numbers)
}

#[test]
fn what_differs_is_found() {
    let with = |value: &str| {
        format!(
            "<?xml?><monit><service><name>a</name><uid>{value}</uid><cpu><percent>1.0</percent></cpu></service></monit>"
        )
    };
    assert!(xml(&with("1"), &with("1")).is_empty());
    assert_eq!(xml(&with("1"), &with("2")), ["a monit/service/uid: Monit 1, we 2"]);
    assert_eq!(xml(&with("1"), &with("1").replace("uid>", "gid>")).len(), 1);
    assert!(xml(&with("1"), &with("1").replace("1.0", "2.4")).is_empty());
    assert_eq!(xml(&with("1"), &with("1").replace("1.0", "-1.0")).len(), 1);
    assert_eq!(xml(&with("1"), &with("1").replace("1.0", "1")).len(), 1);
    let line = |key: &str, value: &str| format!("  {key:<28} {value}");
    assert!(text(&line("memory total", "9.9 MB"), &line("memory total", "10 MB")).is_empty());
    assert_eq!(text(&line("memory total", "9.9 MB"), &line("memory total", "9.9 kB")).len(), 1);
    assert_eq!(text(&line("uid", "1"), &line("uid", "2")).len(), 1);
    assert_eq!(text(&line("uid", "1"), &line("gid", "1")).len(), 1);
    assert_eq!(text(&line("status", "\x1b[0;92mOK\x1b[0m"), &line("status", "\x1b[0;91mOK\x1b[0m")).len(), 1);
}
