//! Reading what a server answered.

/// The code of a status line.
pub(super) fn status(line: &[u8]) -> Option<u16> {
    let mut words = line.split(|b| *b == b' ');
    words.next().filter(|word| word.starts_with(b"HTTP/"))?;
    std::str::from_utf8(words.next()?.trim_ascii()).ok()?.parse().ok()
}

/// What an error page says: on it, that stands between `</h2>` and `<p>` or `<hr>`. Where the answer is JSON, its text.
pub(super) fn message(status: u16, page: &str) -> String {
    let refused: Option<serde_json::Value> = serde_json::from_str(page).ok();
    if let Some(text) = refused.as_ref().and_then(|refused| refused["error"]["text"].as_str()) {
        return text.to_owned();
    }
    let message = page.split_once("</h2>").map(|(_, rest)| {
        let end = ["<p>", "<hr>"].iter().filter_map(|end| rest.find(end)).min();
        &rest[..end.unwrap_or(rest.len())]
    });
    match message.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => {
            ["&lt;<", "&gt;>", "&quot;\"", "&#39;'", "&amp;&"].iter().fold(text.to_owned(), |text, pair| {
                let (coded, meant) = pair.split_at(pair.len() - 1);
                text.replace(coded, meant)
            })
        }
        None => format!("the server refused with status {status}, and did not say why"),
    }
}

/// Takes colours and boxes out of an answer: what is left is what `monit -B` prints.
pub fn plain(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    for line in answer.split_inclusive('\n') {
        let line = uncoloured(line);
        if !line.starts_with(['┌', '├', '└']) {
            out.extend(line.chars().filter(|c| !('\u{2500}'..='\u{257f}').contains(c)));
        }
    }
    out
}

fn uncoloured(mut line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    while let Some((before, after)) = line.split_once("\x1b[") {
        out += before;
        line = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_on_an_error_page() {
        let page = "<html><h2>Bad</h2>no &lt;x&gt; &amp;lt; &quot;y&quot;<p><hr>junk";
        assert_eq!(message(400, page), "no <x> &lt; \"y\"");
        assert_eq!(message(404, r#"{"error":{"status":404,"text":"no <x>"}}"#), "no <x>");
        assert!(message(502, "<html>proxy").contains("502"));
    }

    #[test]
    fn batch_output_has_neither_colour_nor_box() {
        let drawn = "Monit\n\x1b[0;90m┌──┬─┐\x1b[0m\n\x1b[0;90m│\x1b[0m \x1b[0;92ma ─ é\x1b[0m \x1b[0;90m│\x1b[0m\n└─┘\n";
        assert_eq!(plain(drawn), "Monit\n a  é \n");
    }
}
