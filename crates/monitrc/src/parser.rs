//! Tokens to a configuration, by recursive descent. Settings are captured where a statement stands, as Monit does:
//! what is set later does not reach back.

mod alert;
mod change;
mod connection;
mod content;
mod cursor;
mod doubt;
mod http;
mod httpd;
mod limits;
mod mail;
mod mmonit;
mod network;
mod node;
mod options;
mod outcome;
mod ping;
mod process;
mod program;
mod protocol;
mod resource;
mod rule;
mod service;
mod set;
mod statement;
mod storage;
mod tls;
mod turns;
mod url;
mod users;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use hinoban_config::{Config, Dialect, Mistake, OnReboot, Place, Surroundings};

use crate::files::Files;
use crate::lexer::Lexer;
use crate::token::{Kind, Token};

use service::Draft;

/// The statement that was being read has a mistake, which has been noted.
#[derive(Debug)]
pub(crate) struct Wrong;

/// What reading a part of a statement gives.
pub(crate) type Parse<T> = Result<T, Wrong>;

/// What `set limits` and its like say at this point of the file.
#[derive(Debug, Clone, Copy)]
struct Captured {
    network: Duration,
    /// What the next test of a port, a URL or a unix socket has: Monit 5.33 takes the limit that held when the one before
    /// it ended, and 5 s for the first.
    port_timeout: Duration,
    /// The same for the next ping.
    ping_timeout: Duration,
    /// The same for the next M/Monit server.
    collector_timeout: Duration,
    /// The address that the last ping left from: Monit 5.33 keeps it for those that name none.
    ping_source: Option<IpAddr>,
    start: Duration,
    stop: Duration,
    restart: Duration,
    /// Of `check program`.
    program: Duration,
    /// Bytes that are kept of what a program prints.
    output: u32,
    /// Bytes that are kept of a line of a file, and of what is told of such lines.
    line: u32,
    on_reboot: OnReboot,
}

/// The parser and what it has read so far.
pub(crate) struct Parser<'a> {
    around: &'a dyn Surroundings,
    lexer: Lexer<'a>,
    /// The token that comes next.
    token: Token,
    config: Config,
    captured: Captured,
    /// The service that options and rules belong to.
    draft: Option<Draft>,
    /// Names of services so far, in lower case.
    names: HashSet<String>,
    /// Answers about programs, users and groups, each asked once.
    programs: HashMap<String, Option<&'static str>>,
    users: HashMap<String, Option<u32>>,
    groups: HashMap<String, Option<u32>>,
    /// Where the HTTP interface listens on TCP: joined when the file has ended.
    address: Option<String>,
    port: Option<(u16, bool, Place)>,
    /// Where a poll time of 0 is written, if no later one replaces it.
    idle: Option<Place>,
    /// Where the first M/Monit server is named.
    collecting: Option<Place>,
}

/// What reading a file gave.
pub(crate) struct Read {
    pub(crate) config: Config,
    /// What Monit tells, too.
    pub(crate) mistakes: Vec<Mistake>,
    /// What it does not.
    pub(crate) advice: Vec<Mistake>,
    /// Whether an included file is missing from all this.
    pub(crate) torn: bool,
    pub(crate) files: Files,
    /// Names of services, in lower case.
    pub(crate) names: HashSet<String>,
    /// What the last `set onreboot` says: it holds for the system service that is added.
    pub(crate) on_reboot: OnReboot,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(files: Files, around: &'a dyn Surroundings) -> Self {
        let mut lexer = Lexer::new(files, around);
        let token = lexer.next();
        let mut config = Config::empty(Dialect::Monit, "");
        config.services.clear();
        let thirty = Duration::from_secs(30);
        Self {
            around,
            lexer,
            token,
            config,
            captured: Captured {
                network: Duration::from_secs(5),
                port_timeout: Duration::from_secs(5),
                ping_timeout: Duration::from_secs(5),
                collector_timeout: Duration::from_secs(5),
                ping_source: None,
                start: thirty,
                stop: thirty,
                restart: thirty,
                program: Duration::from_secs(300),
                output: hinoban_config::MONIT_BUFFER,
                line: hinoban_config::MONIT_BUFFER,
                on_reboot: OnReboot::Start,
            },
            draft: None,
            names: HashSet::new(),
            programs: HashMap::new(),
            users: HashMap::new(),
            groups: HashMap::new(),
            address: None,
            port: None,
            idle: None,
            collecting: None,
        }
    }

    /// Reads everything.
    pub(crate) fn run(mut self) -> Read {
        while self.token.kind != Kind::End {
            self.statement();
        }
        self.close();
        self.limit_lines();
        self.listen();
        if let Some(place) = self.idle.take() {
            let mistake = Mistake::error(place, "Poll time is invalid or not defined").word("0");
            self.note(mistake.help("write a number of seconds above 0, such as 'set daemon 30'"));
        }
        self.judge_collectors();
        self.config.on_reboot = self.captured.on_reboot;
        Read {
            config: self.config,
            mistakes: self.lexer.mistakes,
            advice: self.lexer.advice,
            torn: self.lexer.torn,
            files: self.lexer.files,
            names: self.names,
            on_reboot: self.captured.on_reboot,
        }
    }

    /// What keeps a program from being run, if anything does.
    fn program_flaw(&mut self, path: &str) -> Option<&'static str> {
        if let Some(known) = self.programs.get(path) {
            return *known;
        }
        let there = Path::new(path);
        let flaw = match self.around.exists(there, true) {
            true => None,
            false if !self.around.exists(there, false) => Some("Program does not exist:"),
            false if self.around.is_directory(there) == Some(true) => Some(program::FOLDER),
            false => Some("Program is not executable:"),
        };
        self.programs.insert(path.to_owned(), flaw);
        flaw
    }
}
