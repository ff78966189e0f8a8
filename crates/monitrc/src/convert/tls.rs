//! Options of TLS, as entries of a table.

use hinoban_config::{Tls, TlsVersions};

use super::text;

/// What is said, each with its key.
pub(super) fn entries(tls: &Tls) -> Vec<(&'static str, String)> {
    let flag = |key, flag: Option<bool>| flag.map(|yes| (key, yes.to_string()));
    let path = |key, path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| (key, text::string(&path.to_string_lossy())))
    };
    [
        flag("verify", tls.verify),
        flag("self-signed", tls.self_signed),
        tls.versions.map(|set| ("versions", versions(set))),
        tls.ciphers.as_ref().map(|ciphers| ("ciphers", text::string(ciphers))),
        path("ca-file", &tls.ca_file),
        path("ca-path", &tls.ca_path),
        path("client-pem", &tls.client_pem),
        path("pem", &tls.pem),
        path("pem-chain", &tls.pem_chain),
        path("pem-key", &tls.pem_key),
        tls.checksum.as_ref().map(|digest| ("checksum", text::string(&digest.digits))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn versions(set: TlsVersions) -> String {
    let all = [(set.v1_0, "1.0"), (set.v1_1, "1.1"), (set.v1_2, "1.2"), (set.v1_3, "1.3")];
    let names: Vec<String> =
        all.into_iter().filter(|(spoken, _)| *spoken).map(|(_, name)| text::string(name)).collect();
    text::list(&names)
}
