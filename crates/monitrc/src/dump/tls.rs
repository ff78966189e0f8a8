//! Options of TLS.

use hinoban_config::{Digest, Tls};

/// Those that are said and differ from what holds anyway, with commas between; empty if there are none.
pub(super) fn options(tls: &Tls) -> String {
    let mut options = Vec::new();
    if let Some(versions) = &tls.versions {
        let names = [
            (versions.v1_0, "TLSv1.0"),
            (versions.v1_1, "TLSv1.1"),
            (versions.v1_2, "TLSv1.2"),
            (versions.v1_3, "TLSv1.3"),
        ];
        let spoken: Vec<_> = names.iter().filter(|(spoken, _)| *spoken).map(|(_, name)| *name).collect();
        options.push(format!("version: {}", spoken.join(" ")));
    }
    if tls.verify == Some(true) {
        options.push("verify: enable".to_owned());
    }
    if tls.self_signed == Some(true) {
        options.push("selfsigned: allow".to_owned());
    }
    for (name, path) in [
        ("pemfile", &tls.pem),
        ("pemchain", &tls.pem_chain),
        ("pemkey", &tls.pem_key),
        ("clientpemfile", &tls.client_pem),
        ("CACertificateFile", &tls.ca_file),
        ("CACertificatePath", &tls.ca_path),
    ] {
        options.extend(path.iter().map(|path| format!("{name}: {}", path.display())));
    }
    options.extend(tls.ciphers.iter().map(|ciphers| format!("ciphers: \"{ciphers}\"")));
    options.join(", ")
}

/// What is said of a connection that is encrypted so.
pub(super) fn using(tls: &Tls, certificate_days: Option<u32>) -> String {
    let options = options(tls);
    let mut text = " using TLS".to_owned();
    if !options.is_empty() {
        text += &format!(" with options {{{options}}}");
    }
    if let Some(days) = certificate_days {
        text += &format!(" and certificate valid for at least {days} days");
    }
    if let Some(Digest { algorithm, digits }) = &tls.checksum {
        text += &format!(" and certificate checksum {} equal to '{digits}'", algorithm.name());
    }
    text
}
