//! What is served: the configured HTTP interface, and the door that our own command line uses.

use std::os::unix::net::UnixStream;
use std::path::Path;

use hinoban::config::{Allow, Config, Dialect, Entries, Listen, PasswordFile};
use hinoban::event::Level;
use hinoban::supervisor::Handle;
use hinoban_web::client::{Client, Target};
use hinoban_web::{Listener, Options, User, Web};
use tokio::sync::watch;

use crate::names;
use crate::places::Places;
use crate::voice::Voice;
use crate::zone;

/// What the configured interface serves.
pub(crate) fn options(config: &Config, id: &str, file: &str) -> Options {
    let mut options = about(config, id, file);
    options.listen = config.web.listen.iter().filter_map(|listen| listener(config, listen)).collect();
    options.names = names::of(config);
    for allow in &config.web.allow {
        match allow {
            Allow::Host(host) => options.hosts.push(host.clone()),
            Allow::User(user) => options.users.push(User {
                name: user.name.clone(),
                password: user.password.reveal().to_owned(),
                read_only: user.read_only,
            }),
            Allow::File(file) => options.users.extend(of_file(file)),
            Allow::Group { .. } => {}
        }
    }
    // Whoever cannot be told from others yet is no reason to let everybody in.
    options.closed = config.web.allow.iter().any(|allow| !matches!(allow, Allow::Host(_)));
    options.anonymous = config.web.anonymous;
    options
}

/// What we call ourselves to people: under a control file scripts read it, and it is Monit's.
fn about(config: &Config, id: &str, file: &str) -> Options {
    let mut options = Options::new(id, file);
    options.zone = Some(zone::of_host());
    if config.dialect == Dialect::Toml {
        options.as_monit = false;
        options.banner = concat!("Hinoban ", env!("CARGO_PKG_VERSION")).to_owned();
    }
    options
}

/// Whom a file of passwords lets in: where they are digests, nobody yet.
fn of_file(file: &PasswordFile) -> impl Iterator<Item = User> {
    let known = file.entries == Entries::Cleartext;
    file.users.iter().filter(move |_| known).map(|(name, password)| User {
        name: name.clone(),
        password: password.reveal().to_owned(),
        read_only: file.read_only,
    })
}

/// Where to listen; `None`: nowhere. What is to be encrypted, and is not yet, is for this host alone: passwords are sent.
fn listener(config: &Config, listen: &Listen) -> Option<Listener> {
    match listen.clone() {
        Listen::Tcp { address, port, read_only } => {
            let address = match (address, config.web.tls.is_some()) {
                (address, false) => address,
                (address, true) => Some(alone(address.as_deref())?),
            };
            Some(Listener::Tcp { address, port, read_only })
        }
        Listen::Unix { path, read_only, permission, uid, gid } => {
            Some(Listener::Unix { path, mode: permission, uid, gid, read_only })
        }
    }
}

/// An address that only this host reaches, if this one is that or stands for all.
fn alone(address: Option<&str>) -> Option<String> {
    match address {
        None | Some("*") => Some("localhost".to_owned()),
        Some(name) if name.eq_ignore_ascii_case("localhost") => Some(name.to_owned()),
        Some(address) => match address.parse::<std::net::IpAddr>() {
            Ok(ip) if ip.is_unspecified() => Some("localhost".to_owned()),
            Ok(ip) if ip.to_canonical().is_loopback() => Some(address.to_owned()),
            _ => None,
        },
    }
}

/// The door: nobody has to log in, for only we and root can open it.
pub(crate) fn door(config: &Config, places: &Places, id: &str, file: &str) -> Options {
    let mut options = about(config, id, file);
    let mode = Some(0o600);
    options.listen =
        vec![Listener::Unix { path: places.door.clone(), mode, uid: None, gid: None, read_only: false }];
    options
}

/// Serves `first` if that is bound already, then what was sent last; begins anew whenever that changes. Never ends.
pub(crate) async fn serve(
    mut first: Option<Web<Handle>>,
    mut wanted: watch::Receiver<Options>,
    handle: Handle,
    voice: Voice,
) {
    loop {
        let options = wanted.borrow_and_update().clone();
        let bound = first.take();
        let served = async {
            let web = match bound {
                Some(web) => web,
                None => bind(options, &handle, &voice).await.0,
            };
            web.run().await;
        };
        tokio::select! {
            () = served => {}
            changed = wanted.changed() => if changed.is_err() {
                // Nobody can change it any more: we are ending.
                std::future::pending::<()>().await;
            },
        }
    }
}

/// Opens sockets, and tells what does not work. Gives the same, a sentence each.
pub(crate) async fn bind(options: Options, handle: &Handle, voice: &Voice) -> (Web<Handle>, Vec<String>) {
    let (web, problems) = Web::bind(options, handle.clone()).await;
    let problems: Vec<_> = problems.into_iter().map(|problem| format!("HTTP server -- {problem}")).collect();
    for problem in &problems {
        voice.say(Level::Error, problem.as_str());
    }
    let voice = voice.clone();
    (web.on_refusal(move |refused| voice.say(Level::Error, refused.to_string())), problems)
}

/// Where it is served, for the line that says that the daemon starts: ` with http interface at …`, or nothing. No
/// port is opened where nobody would be let in.
pub(crate) fn announcement(config: &Config) -> String {
    let closed = config.web.allow.is_empty();
    let listens = config.web.listen.iter().filter_map(|listen| listener(config, listen));
    let mut places = listens.filter(|listen| !(closed && matches!(listen, Listener::Tcp { .. }))).map(
        |listen| match listen {
            Listener::Tcp { address, port, .. } => format!("[{}]:{port}", address.as_deref().unwrap_or("*")),
            Listener::Unix { path, .. } => path.display().to_string(),
        },
    );
    places.next().map_or_else(String::new, |place| format!(" with http interface at {place}"))
}

/// Ways to ask the daemon with this process id, in the order to try them: the door, which needs no password, before
/// what is configured. A door that another process keeps is left out, unless we cannot know who should.
pub(crate) fn clients(config: &Config, places: &Places, pid: Option<i32>) -> Vec<Client> {
    let mut clients = Vec::new();
    if keeper(&places.door).is_none_or(|keeper| pid.is_none_or(|pid| pid == keeper)) {
        clients.push(Client::new(Target::Unix(places.door.clone())));
    }
    let users = || {
        config.web.allow.iter().filter_map(|allow| match allow {
            Allow::User(user) => Some(user),
            _ => None,
        })
    };
    let user = users().find(|user| !user.read_only).or_else(|| users().next());
    let credentials = user.map(|user| (user.name.clone(), user.password.reveal().to_owned()));
    let writable_first = |listen: &&Listen| match listen {
        Listen::Tcp { read_only, .. } | Listen::Unix { read_only, .. } => *read_only,
    };
    let mut listen: Vec<_> = config.web.listen.iter().collect();
    listen.sort_by_key(writable_first);
    for listen in listen {
        let target = match listen {
            Listen::Tcp { address, port, .. } => {
                let host = address.clone().unwrap_or_else(|| "localhost".to_owned());
                Target::Tcp { host, port: *port }
            }
            Listen::Unix { path, .. } => Target::Unix(path.clone()),
        };
        clients.push(Client { target, credentials: credentials.clone() });
    }
    clients
}

/// Who listens at a unix socket: `SO_PEERCRED` of unix(7), the process that called listen(2). `None` if nobody does.
fn keeper(path: &Path) -> Option<i32> {
    let stream = UnixStream::connect(path).ok()?;
    Some(rustix::net::sockopt::socket_peercred(&stream).ok()?.pid.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use hinoban::config::Secret;

    use super::*;

    #[test]
    fn the_door_is_tried_first_and_readers_last() {
        let mut config = Config::empty(Dialect::Monit, "h");
        config.files.statefile = Some("/s/state".into());
        let user = |name: &str, read_only| {
            Allow::User(hinoban::config::User { name: name.into(), password: Secret::new("p"), read_only })
        };
        config.web.allow = vec![user("viewer", true), user("admin", false)];
        config.web.listen = vec![
            Listen::Tcp { address: None, port: 1, read_only: true },
            Listen::Unix { path: "/u".into(), read_only: false, permission: None, uid: None, gid: None },
        ];
        let clients = clients(&config, &Places::of(&config), Some(1));
        let targets: Vec<_> = clients.iter().map(|client| client.target.to_string()).collect();
        assert_eq!(targets, ["/s/state.sock", "/u", "localhost:1"]);
        assert_eq!(clients[0].credentials, None);
        assert_eq!(clients[1].credentials, Some(("admin".into(), "p".into())));
        assert_eq!(announcement(&config), " with http interface at [*]:1");
        config.web.allow.clear();
        assert_eq!(announcement(&config), " with http interface at /u", "no port is opened for nobody");
        config.web.listen.truncate(1);
        assert_eq!(announcement(&config), "");
    }

    #[test]
    fn whoever_cannot_log_in_yet_keeps_the_pages_closed() {
        let mut config = Config::empty(Dialect::Monit, "h");
        config.web.allow = vec![Allow::Host("localhost".into())];
        assert!(!options(&config, "", "").closed);
        config.web.allow.push(Allow::Group { name: "staff".into(), read_only: false });
        let found = options(&config, "", "");
        assert!(found.closed && found.users.is_empty());
        let file = |entries| PasswordFile {
            path: "/etc/users".into(),
            entries,
            only: Vec::new(),
            read_only: true,
            users: vec![("ann".into(), Secret::new("pw"))],
        };
        config.web.allow = vec![Allow::File(file(Entries::Crypt))];
        let found = options(&config, "", "");
        assert!(found.closed && found.users.is_empty(), "a digest is no password");
        config.web.allow.push(Allow::File(file(Entries::Cleartext)));
        let found = options(&config, "", "");
        let users: Vec<_> = found.users.iter().map(|u| (&*u.name, &*u.password, u.read_only)).collect();
        assert_eq!(users, [("ann", "pw", true)]);
    }

    #[test]
    fn what_should_be_encrypted_is_for_this_host_alone() {
        let mut config = Config::empty(Dialect::Monit, "h");
        config.web.allow = vec![user("admin")];
        let tcp = |address: Option<&str>| Listen::Tcp {
            address: address.map(str::to_owned),
            port: 2812,
            read_only: false,
        };
        config.web.listen =
            [None, Some("0.0.0.0"), Some("::"), Some("127.0.0.1"), Some("10.0.0.1"), Some("web1")]
                .map(tcp)
                .to_vec();
        let places = |config: &Config| -> Vec<String> {
            options(config, "", "").listen.iter().map(ToString::to_string).collect()
        };
        assert_eq!(places(&config)[0], "*:2812");
        config.web.tls = Some(hinoban::config::Tls::default());
        let here = "localhost:2812";
        assert_eq!(places(&config), [here, here, here, "127.0.0.1:2812"]);
        assert_eq!(announcement(&config), " with http interface at [localhost]:2812");
    }

    fn user(name: &str) -> Allow {
        Allow::User(hinoban::config::User { name: name.into(), password: Secret::new("p"), read_only: false })
    }

    #[test]
    fn a_door_that_another_keeps_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::empty(Dialect::Monit, "h");
        config.files.statefile = Some(dir.path().join("state"));
        let places = Places::of(&config);
        let _listener = std::os::unix::net::UnixListener::bind(&places.door).unwrap();
        let us = i32::try_from(std::process::id()).unwrap();
        assert_eq!(clients(&config, &places, Some(us)).len(), 1);
        assert!(clients(&config, &places, Some(us + 1)).is_empty());
        assert_eq!(clients(&config, &places, None).len(), 1);
    }
}
