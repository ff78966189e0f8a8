//! What concerns all services: `set …`.

use std::collections::HashSet;

use hinoban_config::{
    Allow, Collector, Config, Dialect, Listen, LogTarget, Mail, MailServer, MailTls, OnReboot, Recipient, Web,
};

use super::url::Url;
use super::{Page, Runtime, amount, tls};

/// What Monit says where the file says nothing about mails.
const FROM: &str = "monit@$HOST";
const SUBJECT: &str = "monit alert --  $EVENT $SERVICE";
const MESSAGE: &str = "$EVENT Service $SERVICE";

/// So much of a message is shown, in bytes.
const MESSAGE_SHOWN: usize = 20;

/// The settings.
pub(super) fn write(page: &mut Page, config: &Config, runtime: &Runtime<'_>) {
    page.text += "Runtime constants:\n";
    page.setting("Control file", runtime.control.display());
    let log = match &config.log {
        None => "(not defined)".to_owned(),
        Some(LogTarget::File(path)) => path.display().to_string(),
        Some(LogTarget::Syslog(_)) => "syslog".to_owned(),
        Some(LogTarget::Stderr) => "stderr".to_owned(),
    };
    page.setting("Log file", log);
    page.setting("Pid file", runtime.pidfile.display());
    page.setting("Id file", runtime.idfile.display());
    page.setting("State file", runtime.statefile.display());
    if config.dialect == Dialect::Toml {
        page.setting("Command socket", runtime.socket.display());
    }
    let truth = |is: bool| if is { "True" } else { "False" };
    // Who dumps is verbose.
    page.setting("Debug", "True");
    page.setting("Log", truth(config.log.is_some()));
    page.setting("Use syslog", truth(matches!(config.log, Some(LogTarget::Syslog(_)))));
    page.setting("Is Daemon", truth(config.every.is_some()));
    page.setting("Use process engine", "True");
    limits(page, config);
    page.setting("On reboot", on_reboot(config.on_reboot));
    let (every, delay) = (config.every.unwrap_or_default(), config.start_delay);
    page.setting(
        "Poll time",
        format!("{} seconds with start delay {} seconds", every.as_secs_f64(), delay.as_secs_f64()),
    );
    if let Some(budget) = config.budget {
        let within = amount::time(budget.within);
        page.setting("Restart budget", format!("{} within {within}", budget.restarts));
    }
    if let Some(queue) = &config.mail.queue {
        let slots = config.mail.slots.map_or_else(|| "unlimited".to_owned(), |slots| slots.to_string());
        page.setting("Event queue", format!("base directory {} with {slots} slots", queue.display()));
    }
    let options = tls::options(&config.tls);
    if !options.is_empty() {
        page.setting("SSL options", options);
    }
    if !config.collectors.is_empty() {
        let one = |collector: &Collector| collected(collector, config.register_credentials);
        let all: Vec<String> = config.collectors.iter().map(one).collect();
        page.setting("M/Monit(s)", all.join(&format!(",\n {:<18} = ", "")));
    }
    mail(page, &config.mail);
    web(page, &config.web, runtime);
    alerts(page, &config.alerts, 18);
}

fn limits(page: &mut Page, config: &Config) {
    let limits = &config.limits;
    page.setting("Limits", "{");
    for (name, bytes) in [
        ("programOutput:", limits.program_output),
        ("sendExpectBuffer:", limits.send_expect),
        ("fileContentBuffer:", limits.file_content),
        ("httpContentBuffer:", limits.http_content),
    ] {
        page.setting("", format!("  {name:<18} {}", amount::bytes(bytes as f64)));
    }
    for (name, time) in [
        ("networkTimeout:", limits.network),
        ("programTimeout:", limits.program),
        ("stopTimeout:", limits.stop),
        ("startTimeout:", limits.start),
        ("restartTimeout:", limits.restart),
    ] {
        page.setting("", format!("  {name:<18} {}", amount::time(time)));
    }
    // Monit 5.33 knows no such limit.
    if let Some(time) = limits.exec {
        page.setting("", format!("  {:<18} {}", "execTimeout:", amount::time(time)));
    }
    page.setting("", "}");
}

/// The word for it.
pub(super) fn on_reboot(on_reboot: OnReboot) -> &'static str {
    match on_reboot {
        OnReboot::Start => "start",
        OnReboot::NoStart => "nostart",
        OnReboot::LastState => "laststate",
    }
}

fn collected(collector: &Collector, register: bool) -> String {
    let url = Url::of(collector.url.reveal());
    let mut text = format!(
        "{}://[{}]:{}{} with timeout {}",
        url.scheme,
        url.host,
        url.port,
        url.target,
        amount::time(collector.timeout)
    );
    match &collector.tls {
        Some(options) => text += &tls::using(options, None),
        None if url.scheme.eq_ignore_ascii_case("https") => text += " using TLS",
        None => {}
    }
    if register && url.login {
        text += " with credentials";
    }
    text
}

fn mail(page: &mut Page, mail: &Mail) {
    if !mail.servers.is_empty() {
        let one = |server: &MailServer| {
            let tls = match server.tls {
                MailTls::Off => String::new(),
                _ => tls::using(&server.options, None),
            };
            format!("{}:{}{tls}", server.host, server.port)
        };
        let mut text = mail.servers.iter().map(one).collect::<Vec<_>>().join(", ");
        text += &format!(" with timeout {}", amount::time(mail.timeout));
        if let Some(name) = &mail.hostname {
            text += &format!(" using '{name}' as my hostname");
        }
        page.setting("Mail server(s)", text);
    }
    let format = &mail.format;
    if *format == Default::default() {
        return;
    }
    page.setting("Mail from", format.from.as_deref().unwrap_or(FROM));
    if let Some(reply_to) = &format.reply_to {
        page.setting("Mail reply to", reply_to);
    }
    page.setting("Mail subject", format.subject.as_deref().unwrap_or(SUBJECT));
    let message = format.message.as_deref().unwrap_or(MESSAGE);
    let shown =
        message.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MESSAGE_SHOWN);
    page.setting("Mail message", format!("{}..(truncated)", &message[..shown.last().unwrap_or(0)]));
}

fn web(page: &mut Page, web: &Web, runtime: &Runtime<'_>) {
    let able = |is: bool| if is { "Enabled" } else { "Disabled" };
    page.setting("Start monit httpd", if web.listen.is_empty() { "False" } else { "True" });
    if web.listen.is_empty() {
        return;
    }
    for listen in &web.listen {
        if let Listen::Tcp { address, port, read_only } = listen {
            page.setting("httpd bind address", address.as_deref().unwrap_or("Any/All"));
            page.setting("httpd portnumber", port);
            page.setting("httpd net readonly", able(*read_only));
            if let Some(options) = &web.tls {
                page.setting("httpd encryption", tls::options(options));
            }
        }
    }
    for listen in &web.listen {
        if let Listen::Unix { path, read_only, .. } = listen {
            page.setting("httpd unix socket", path.display());
            page.setting("httpd unix readonly", able(*read_only));
        }
    }
    page.setting("httpd signature", able(!web.anonymous));
    let users = web.allow.iter().any(|allow| match allow {
        Allow::Host(_) => false,
        Allow::File(file) => !file.users.is_empty(),
        Allow::User(_) | Allow::Group { .. } => true,
    });
    let hosts = web.allow.iter().any(|allow| match allow {
        Allow::Host(host) => host.contains('/') || !(runtime.addresses)(host).is_empty(),
        _ => false,
    });
    page.setting(
        "httpd auth. style",
        match (users, hosts) {
            (true, true) => "Basic Authentication and Host/Net allow list",
            (true, false) => "Basic Authentication",
            (false, true) => "Host/Net allow list",
            (false, false) => "No authentication!",
        },
    );
}

/// Who is let in, as far as he was not named before.
pub(super) fn admitted(config: &Config, runtime: &Runtime<'_>) -> String {
    let mut text = String::new();
    let mut seen = HashSet::new();
    for allow in &config.web.allow {
        match allow {
            Allow::Host(network) if network.contains('/') => {
                if seen.insert(network.clone()) {
                    text += &format!("Adding 'allow {network}'\n");
                }
            }
            Allow::Host(host) => {
                for address in (runtime.addresses)(host) {
                    let address = match address {
                        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().to_string(),
                        std::net::IpAddr::V6(v6) => v6.to_string(),
                    };
                    if seen.insert(address.clone()) {
                        text += &format!("Adding 'allow {host}' -- host resolved to [{address}]\n");
                    }
                }
            }
            Allow::User(user) => text += &format!("Adding credentials for user '{}'\n", user.name),
            Allow::File(file) => {
                for (name, _) in &file.users {
                    text += &format!("Adding credentials for user '{name}'\n");
                }
            }
            Allow::Group { name, .. } => text += &format!("Adding PAM group '{name}'\n"),
        }
    }
    text
}

/// Who hears of what, the last first; labels that wide.
pub(super) fn alerts(page: &mut Page, alerts: &[Recipient], width: usize) {
    for alert in alerts.iter().rev() {
        let mut line = |indent: &str, label: &str, value: String| {
            page.text += &format!(" {indent}{label:<0$} = {value}\n", width - indent.len());
        };
        line("", "Alert mail to", alert.address.clone());
        let events = match alert.events {
            hinoban_config::Events::ALL => "All events".to_owned(),
            hinoban_config::Events::NONE => "No events".to_owned(),
            events => events.names().map(|name| format!("{} ", title(name))).collect(),
        };
        line("  ", "Alert on", events);
        if let Some(cycles) = alert.reminder {
            line("  ", "Alert reminder", format!("{cycles} cycles"));
        }
    }
}

/// The name of a class of events, as it is written here.
fn title(name: &str) -> String {
    match name {
        "bytein" => "ByteIn".to_owned(),
        "byteout" => "ByteOut".to_owned(),
        "packetin" => "PacketIn".to_owned(),
        "packetout" => "PacketOut".to_owned(),
        "pid" | "ppid" => name.to_uppercase(),
        _ => name[..1].to_uppercase() + &name[1..],
    }
}
