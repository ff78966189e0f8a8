//! The pages that people see: an overview, and one for each service.

use hinoban_supervisor::{ServiceView, Status};

use crate::form;
use crate::monit::{About, Tone, rows, state, type_name};

/// Text between tags, as HTML shows it. Not for attributes: quotes stay, for `monit` as a command line prints the text
/// of an error page as it stands there.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            _ => out.push(c),
        }
    }
    out
}

/// All services: name, status, type.
pub(crate) fn overview(status: &Status) -> String {
    let mut body = format!("<h1>{}</h1>\n<table>\n<caption>Services</caption>\n", escape(&status.host));
    body += "<thead><tr><th scope='col'>Service</th><th scope='col'>Status</th><th scope='col'>Type</th></tr></thead>\n<tbody>\n";
    for view in &status.services {
        let (tone, state) = state(view);
        body += &format!(
            "<tr><th scope='row'><a href='{}'>{}</a></th><td class='{}'>{}</td><td>{}</td></tr>\n",
            link(view),
            escape(&view.name),
            class(tone),
            escape(&state),
            type_name(&view.kind),
        );
    }
    body += "</tbody>\n</table>\n";
    page(&status.host, &body)
}

/// One service: what is known of it and, if `token` is given, what can be done to it.
pub(crate) fn service(status: &Status, about: &About, view: &ServiceView, token: Option<&str>) -> String {
    let (tone, state) = state(view);
    let name = escape(&view.name);
    let kind = type_name(&view.kind);
    let mut body = format!(
        "<p><a href='/'>{}</a></p>\n<h1>{name}</h1>\n<table>\n<caption>{kind}</caption>\n<tbody>\n",
        escape(&status.host)
    );
    body +=
        &format!("<tr><th scope='row'>status</th><td class='{}'>{}</td></tr>\n", class(tone), escape(&state));
    for (key, _, value) in rows(status, about, view) {
        body += &format!("<tr><th scope='row'>{}</th><td>{}</td></tr>\n", escape(&key), escape(&value));
    }
    body += "</tbody>\n</table>\n";
    if let Some(token) = token {
        // Programs read the token out of this field.
        body += &format!("<form method='post' action='{}'>\n", link(view));
        body += &format!("<input type='hidden' name='securitytoken' value='{token}'>\n");
        for action in ["start", "stop", "restart", "monitor", "unmonitor"] {
            body += &format!("<button name='action' value='{action}'>{action}</button>\n");
        }
        body += "</form>\n";
    }
    page(&format!("{} on {}", view.name, status.host), &body)
}

/// The address of a service's page.
pub(crate) fn link(view: &ServiceView) -> String {
    format!("/{}", form::encode(&view.name, ""))
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        _ => "other",
    }
}

fn page(title: &str, body: &str) -> String {
    const STYLE: &str = ":root{color-scheme:light dark}\
        body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}\
        table{border-collapse:collapse;width:100%}caption{text-align:left}\
        th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8886;vertical-align:top;\
        overflow-wrap:anywhere}tbody th{font-weight:normal}td{white-space:pre-line}\
        .good{color:light-dark(#060,#7d7)}.bad{color:light-dark(#a00,#f88);font-weight:bold}\
        button{font:inherit;padding:.4rem .8rem;margin:.6rem .4rem 0 0}";
    format!(
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n\
         <meta name='viewport' content='width=device-width, initial-scale=1'>\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}
