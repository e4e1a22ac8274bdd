//! Configuration: how this process runs (sections `server`, `access`, `gateway`, `log`, `telemetry`, `ledger`, `catalog`, `caps`, `fold`) and its
//! params, numbers that an experiment may change (section `params`).
//!
//! One TOML file, every key with a default; the environment overrides it (`LITFASS_PARAMS_CANDIDATES_MAX=200`). Unknown keys are
//! refused, and all problems are reported at once, each with its key's path. `docs/generated/config.md` is written from the same
//! table; a test keeps it current.

mod database;
mod setting;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use litfass_store::fold::LostChoices;
use litfass_types::Duration;
use toml::{Table, Value};

use crate::cap_policy::{WhenUnavailable, WithoutId};
use crate::cap_stores::{self, CountedIn};
use crate::gateway::address::ForwardedBy;
use crate::gateway::{AskedBy, Service};
use crate::roles::{ProcessName, ProcessRoles};
use crate::telemetry::{self, LogFormat};
pub use database::{DatabaseUrl, RedisUrl};
pub use setting::{Brokers, Endpoint, FilePath, NetworkList, Origins, TopicPrefix};
use setting::{Setting, checked, toml_text};

/// One row of the table of settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub section: &'static str,
    pub key: &'static str,
    /// What kind of value it takes.
    pub kind: &'static str,
    pub default: &'static str,
    /// Smallest and largest, both allowed.
    pub bounds: Option<(&'static str, &'static str)>,
    /// The part of the system that reads it and whose maintainers may change its default.
    pub owner: &'static str,
    pub help: &'static str,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $section:ident $name:literal as $field:ident {
        $($key:ident: $type:ty = $default:literal $(in $low:literal, $high:literal)?, $owner:literal, $help:literal;)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Debug)]
            pub struct $section { $(#[doc = $help] pub $key: $type),* }

            impl $section {
                fn read(source: &mut Source<'_>) -> Option<Self> {
                    $(let $key = source.read::<$type>($name, stringify!($key));)*
                    Some(Self { $($key: $key?),* })
                }
            }
        )*

        /// Everything that can be set.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Config { $($(#[$doc])* pub $field: $section),* }

        impl Config {
            /// Reads every section before giving up, so that all problems are found.
            fn read(source: &mut Source<'_>) -> Option<Self> {
                $(let $field = $section::read(source);)*
                Some(Self { $($field: $field?),* })
            }

            /// Path and value of every setting, in the order of the docs.
            fn values(&self) -> Vec<(&'static Row, String, bool)> {
                let values = vec![$($((self.$field.$key.text(), <$type as Setting>::QUOTED)),*),*];
                ROWS.iter().zip(values).map(|(row, (text, quoted))| (row, text, quoted)).collect()
            }
        }

        /// Every setting there is, in the order of the docs.
        pub const ROWS: &[Row] = &[$($(Row {
            section: $name, key: stringify!($key), kind: <$type as Setting>::TYPE, default: $default,
            bounds: settings!(@bounds $($low, $high)?), owner: $owner, help: $help,
        }),*),*];
    };
    (@bounds) => { None };
    (@bounds $low:literal, $high:literal) => { Some(($low, $high)) };
}

settings! {
    /// Where it listens and keeps its state.
    Server "server" as server {
        listen: SocketAddr = "127.0.0.1:8080", "server", "Where HTTP is served. An address other than loopback is refused until there is an API key. Port 0 picks a free one.";
        data_dir: PathBuf = "data", "server", "The folder with all state. Several processes may share it, each under a name of its own.";
        name: ProcessName = "server", "server", "The name of this process among those that share its data directory; it names its partitions of the log, so it stays from one start to the next.";
        stand_in_after: Duration = "10s" in "1s", "1h", "server", "How long another process's partitions of the log may be quiet before this one, if it has the role `events`, takes them for abandoned and stands in for their writer.";
        roles: ProcessRoles = "decide, events, admin", "server", "What this process does: `decide` answers requests for ads, `events` takes what comes back and bills it, `admin` changes the catalog, takes commands of money and shows the pages. Exactly one process has `admin`.";
        body_bytes_max: u64 = "2097152" in "1024", "67108864", "server", "Largest request body.";
        header_timeout: Duration = "1m" in "50ms", "1h", "server", "How long a connection may take to send the head of a request; one that is kept open for another request may be idle as long.";
        body_timeout: Duration = "30s" in "50ms", "1h", "server", "How long the body of a request may take to arrive; then it is refused with 408.";
        drain_timeout: Duration = "10s" in "1ms", "10m", "server", "How long requests that were begun may go on once the process is asked to stop.";
        disk_free_min: u64 = "67108864" in "0", "1099511627776", "server", "With fewer bytes free on the disk of the data directory the server says that it is not ready.";
        click_wait: Duration = "250ms" in "1ms", "10s", "server", "How long a click waits for the log before it is redirected all the same.";
    }
    /// Keys, sessions, and which sites' scripts may call.
    Access "access" as access {
        rate: u32 = "5000" in "1", "1000000", "access", "Requests a second that a key may send which names no rate of its own.";
        burst: Duration = "2s" in "1ms", "1m", "access", "How long's worth of that a key may send at once.";
        session_ttl: Duration = "12h" in "1m", "30d", "access", "How long the pages remember a key that was shown to them.";
        cors_origins: Origins = "", "access", "Sites whose scripts may ask for decisions and report events from a browser, as their origins, separated by commas: `https://shop.example`.";
    }
    /// What happens to a request before anything is decided.
    GatewaySettings "gateway" as gateway {
        decisions_from: AskedBy = "server", "gateway", "Who sends decision requests: `server` (the site's own, which names its viewer's address and user agent in `context`) or `viewer` (browsers and apps: what the request does not name is theirs).";
        trusted_proxies: NetworkList = "", "gateway", "Networks of proxies whose word on where a request comes from is believed, separated by commas: `10.0.0.0/8, 2001:db8::/32`.";
        forwarded_by: ForwardedBy = "x-forwarded-for", "gateway", "The header that they append to: `x-forwarded-for` or `forwarded` (RFC 7239).";
        geo_database: FilePath = "", "gateway", "A database in MaxMind's format (MMDB) that tells country, region and city from an address.";
        crawlers: Service = "served", "gateway", "Whether crawlers get ads (`served`, never billed) or none (`refused`).";
        crawler_names: FilePath = "", "gateway", "Crawlers beside the known ones: a file with a part of a user agent a line.";
        data_centres: Service = "served", "gateway", "The same for addresses where machines live.";
        data_centre_networks: FilePath = "", "gateway", "Those addresses: a file with a network a line.";
        staff: Service = "served", "gateway", "The same for the operator's own people.";
        staff_networks: FilePath = "", "gateway", "Their addresses: a file with a network a line.";
        retry_window: Duration = "1m" in "1s", "1h", "gateway", "How long a decision's request_id is remembered: asked again, it gets the same answer.";
        retry_bytes_max: u64 = "67108864" in "65536", "17179869184", "gateway", "About how many bytes all remembered answers may take; beyond it the key that holds the most loses its oldest.";
    }
    /// How long the event log is kept.
    LogRetention "log" as log {
        retention_age: Duration = "0ms" in "0ms", "3650d", "server", "Events and decisions older than this are removed, in whole segments, once the ledger and the kept snapshots are past them. `0ms` keeps everything. Explain, replay, training and `ledger verify --log` reach no further back.";
        retention_bytes: u64 = "0" in "0", "1125899906842624", "server", "The oldest segments are removed, under the same condition, while the log is larger. 0 sets no limit.";
        retention_interval: Duration = "10m" in "100ms", "1d", "server", "How often that is looked at.";
        segment_bytes: u32 = "33554432" in "4096", "1073741824", "server", "Size at which a segment of the log ends.";
        kafka_brokers: Brokers = "", "server", "Where the log lies in Kafka instead of in the data directory: brokers as `host:port`, separated by commas. Needs a program built with the feature `kafka`. A data directory keeps the log that it began with.";
        kafka_topic_prefix: TopicPrefix = "litfass", "server", "The topics are named by it: `litfass.events` and `litfass.admin`. They are made where they are missing.";
        kafka_partitions: u16 = "4" in "1", "256", "server", "Partitions of the topic of events; the same in every process of a site. It can grow, not shrink.";
        kafka_delivery_timeout: Duration = "10s" in "1s", "5m", "server", "How long an append waits for the brokers before it has failed.";
    }
    /// What the process says of itself.
    Telemetry "telemetry" as telemetry {
        log_format: LogFormat = "text", "server", "How the process's own log is written to standard error: `text` or `json` (one object a line).";
        otlp_endpoint: Endpoint = "", "server", "Where a collector takes traces, by OTLP over HTTP: `http://127.0.0.1:4318`. Nothing is sent where it is empty and `OTEL_EXPORTER_OTLP_ENDPOINT` is not set. For builds with the feature `otel`.";
    }
    /// Where the money is kept.
    Database "database" as database {
        url: DatabaseUrl = "", "ledger", "A PostgreSQL database for ledger, catalog, API keys and audit log: `postgres://user:password@host/name`. Without one they are kept in the data directory.";
    }
    /// The three times of the money, and the sweep.
    Ledger "ledger" as ledger {
        lease_ttl: Duration = "60s" in "1s", "10m", "ledger", "How long a lease may be held against, from the first sending of its request.";
        hold_ttl_cpm: Duration = "5m" in "1s", "1h", "ledger", "How long a shown slot reserves its price when it is paid per impression.";
        hold_ttl_cpc: Duration = "2m" in "1s", "1h", "ledger", "The same where it is paid per click.";
        token_ttl: Duration = "24h" in "1s", "30d", "ledger", "How long an event can still bill. The redirect works for ever.";
        conversion_window: Duration = "7d" in "1s", "90d", "ledger", "How long after a click a conversion is attributed to it.";
        holders: u32 = "1" in "1", "1024", "ledger", "How many processes decide: what is left of a budget near its end is shared among so many.";
        sweep_interval: Duration = "5s" in "50ms", "5m", "ledger", "How often due leases are closed and waiting events retried.";
    }
    /// How changes of the catalog come to be served.
    CatalogServing "catalog" as catalog {
        poll_interval: Duration = "500ms" in "10ms", "1m", "catalog", "How often the store is asked for changes made by another process.";
        overlay_objects_max: u32 = "10000" in "1", "1000000", "catalog", "Changed objects beside the base, beyond which they are merged into a new base.";
    }
    /// Frequency caps.
    CapSettings "caps" as caps {
        store: CountedIn = "embedded", "caps", "Where impressions are counted: `embedded` (each process by itself, from the log) or `redis` (one server for all processes of a site; for builds with the feature `redis`).";
        redis_url: RedisUrl = "", "caps", "That server: `redis://user:password@host:6379/0`, without TLS, or `redis+unix:///path`.";
        redis_timeout: Duration = "50ms" in "1ms", "10s", "caps", "How long one call to it may take; then it counts as away for a moment.";
        hold_ttl: Duration = "5m" in "1s", "1h", "caps", "How long a shown slot counts against its caps without being rendered. One that is rendered later counts from then on.";
        without_id: WithoutId = "serve", "caps", "What a viewer without an id, or who has not agreed to be known by it, sees of ads with a cap: `serve` shows them as if none had been seen, `skip_capped` shows none of them.";
        when_unavailable: WhenUnavailable = "closed", "caps", "While the store of caps does not answer or is being filled again: `closed` shows nobody an ad with a cap, `open` shows them and counts it. The embedded store always answers.";
    }
    /// State kept by folding the event log.
    Folds "fold" as fold {
        snapshot_interval: Duration = "1m" in "100ms", "1d", "fold", "How often folded state is written down, if the log grew.";
        dedupe_keys_max: u32 = "20000000" in "1000", "1000000000", "fold", "Keys of events kept in memory, by which copies are recognised (about 60 bytes each); beyond it the oldest go. What is billed is told apart by the ledger's own keys.";
        lost_choices: LostChoices = "refused", "fold", "Where the log is no longer whole and no snapshot can be used, nobody knows who opted out: `refused` does not start then, `accepted` starts without what users chose before.";
        viewers_max: u32 = "1000000" in "1", "100000000", "fold", "Viewer profiles kept in memory; beyond it those seen least recently go.";
    }
    /// Numbers that an experiment may change.
    Params "params" as params {
        candidates_max: u32 = "500" in "1", "1000", "retrieval", "Candidates that the sources return for one request.";
        entrants_max: u32 = "50" in "1", "50", "decide", "Candidates that enter the auction after the first phase.";
        exploration_ppm: u32 = "10000" in "0", "1000000", "decide", "Share of requests, in parts per million, in which one slot is reserved for exploration.";
        record_full_ppm: u32 = "10000" in "0", "1000000", "decide", "Share of decisions, in parts per million, recorded with every candidate.";
    }
}

impl Default for Config {
    fn default() -> Self {
        match Self::from_text("", []) {
            Ok(config) => config,
            Err(problems) => unreachable!("the defaults are within their own bounds: {problems}"),
        }
    }
}

/// Everything that is wrong with a configuration, for whoever wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// The file, where there is one, under what the environment says.
    ///
    /// # Errors
    /// All problems at once, each with the path of its key or the name of its variable.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let text = file.map_or_else(|| Ok(String::new()), read_file)?;
        Self::from_text(&text, environment)
    }

    /// As a file that says everything, with who said it behind each setting.
    ///
    /// # Errors
    /// As `load`.
    pub fn printed(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<String, Problems> {
        let text = file.map_or_else(|| Ok(String::new()), read_file)?;
        let environment: Vec<_> = environment.into_iter().collect();
        let config = Self::from_text(&text, environment.clone())?;
        let table = text.parse::<Table>().map_err(|e| Problems(vec![e.to_string()]))?;
        let source = Source::new(&table, environment);
        Ok(config.lines(|row| format!(" # {}", source.said_by(row))))
    }

    /// # Errors
    /// As `load`.
    pub fn from_text(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Problems> {
        let table = text.parse::<Table>().map_err(|e| Problems(vec![e.to_string().trim_end().to_owned()]))?;
        let mut source = Source::new(&table, environment);
        let config = Self::read(&mut source);
        if let Some(config) = &config {
            source.problems.extend(config.contradictions());
        }
        source.refuse_unknown();
        match config {
            Some(config) if source.problems.is_empty() => Ok(config),
            Some(_) | None => Err(Problems(source.problems)),
        }
    }

    /// As a file that says everything.
    #[must_use]
    pub fn print(&self) -> String {
        self.lines(|_| String::new())
    }

    fn lines(&self, behind: impl Fn(&Row) -> String) -> String {
        let mut section = "";
        let mut out = String::new();
        for (row, text, quoted) in self.values() {
            if row.section != section {
                section = row.section;
                out.push_str(&format!("{}[{section}]\n", if out.is_empty() { "" } else { "\n" }));
            }
            let value = if quoted { Value::String(text).to_string() } else { text };
            out.push_str(&format!("{} = {value}{}\n", row.key, behind(row)));
        }
        out
    }

    /// The section `params` alone: what a decision's record names by hash.
    #[must_use]
    pub fn params_text(&self) -> String {
        let rows = self.values().into_iter().filter(|(row, ..)| row.section == "params");
        rows.map(|(row, text, _)| format!("{} = {text}\n", row.key)).collect()
    }

    /// What each setting allows by itself but not together with the others.
    fn contradictions(&self) -> Vec<String> {
        let (ledger, params) = (&self.ledger, &self.params);
        let holds = ledger.hold_ttl_cpm.min(ledger.hold_ttl_cpc);
        let longest_hold = ledger.hold_ttl_cpm.max(ledger.hold_ttl_cpc);
        let log_age = self.log.retention_age;
        let log_is_ours = self.log.kafka_brokers.is_empty();
        let rules = [
            (
                telemetry::HAS_TRACES || self.telemetry.otlp_endpoint.is_none(),
                "telemetry.otlp_endpoint: this binary sends no traces: build it with `--features otel`",
            ),
            (
                log_is_ours || (log_age.0 == 0 && self.log.retention_bytes == 0),
                "log.retention_age and log.retention_bytes: are Kafka's to say where log.kafka_brokers is set",
            ),
            (
                log_age.0 == 0 || log_age >= ledger.token_ttl.max(ledger.conversion_window),
                "log.retention_age: must not be shorter than ledger.token_ttl and ledger.conversion_window",
            ),
            (
                cap_stores::HAS_REDIS || self.caps.store == CountedIn::Embedded,
                "caps.store: this program was built without the feature `redis`",
            ),
            (
                (self.caps.store == CountedIn::Redis) == self.caps.redis_url.address().is_some(),
                "caps.redis_url: is needed where caps.store is `redis`, and only there",
            ),
            (ledger.lease_ttl <= holds, "ledger.lease_ttl: must not be longer than the shorter hold_ttl"),
            (ledger.token_ttl >= longest_hold, "ledger.token_ttl: must not be shorter than the longer hold_ttl"),
            (
                params.entrants_max <= params.candidates_max,
                "params.entrants_max: must not exceed params.candidates_max",
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem.to_owned()).collect()
    }
}

/// No configuration is longer than this.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn read_file(path: &Path) -> Result<String, Problems> {
    let blame = |message: String| Problems(vec![format!("{}: {message}", path.display())]);
    let length = std::fs::metadata(path).map_err(|e| blame(e.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(blame(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|e| blame(e.to_string()))
}

const VARIABLE_PREFIX: &str = "LITFASS_";

fn variable(section: &str, key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}_{}", section.to_uppercase(), key.to_uppercase())
}

/// File and environment while they are read, with what was wrong so far.
struct Source<'a> {
    table: &'a Table,
    environment: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl<'a> Source<'a> {
    fn new(table: &'a Table, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        Self { table, environment: ours, problems: Vec::new() }
    }

    fn read<S: Setting>(&mut self, section: &str, key: &str) -> Option<S> {
        let row = ROWS.iter().find(|row| row.section == section && row.key == key)?;
        let read = self
            .text::<S>(row)
            .and_then(|(blame, text)| checked(&text, row.bounds).map_err(|problem| format!("{blame}: {problem}")));
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// The setting's text and who said it: environment before file before default.
    fn text<S: Setting>(&self, row: &Row) -> Result<(String, String), String> {
        let (variable, path) = (variable(row.section, row.key), format!("{}.{}", row.section, row.key));
        if let Some(text) = self.environment.get(&variable) {
            return Ok((variable, text.clone()));
        }
        match self.table.get(row.section).and_then(|section| section.get(row.key)) {
            Some(value) => match toml_text::<S>(value) {
                Ok(text) => Ok((path, text)),
                Err(problem) => Err(format!("{path}: {problem}")),
            },
            None => Ok((path, row.default.to_owned())),
        }
    }

    fn said_by(&self, row: &Row) -> String {
        let variable = variable(row.section, row.key);
        if self.environment.contains_key(&variable) {
            return variable;
        }
        let in_file = self.table.get(row.section).is_some_and(|section| section.get(row.key).is_some());
        if in_file { "file".to_owned() } else { "default".to_owned() }
    }

    fn refuse_unknown(&mut self) {
        let variables: BTreeSet<_> = ROWS.iter().map(|row| variable(row.section, row.key)).collect();
        let strangers = self.environment.keys().filter(|name| !variables.contains(*name));
        let mut unknown: Vec<_> = strangers.map(|name| format!("{name}: there is no such setting")).collect();
        for (section, value) in self.table {
            unknown.extend(unknown_keys(section, value));
        }
        self.problems.extend(unknown);
    }
}

fn unknown_keys(section: &str, value: &Value) -> Vec<String> {
    let known: BTreeSet<_> = ROWS.iter().filter(|row| row.section == section).map(|row| row.key).collect();
    if known.is_empty() {
        return vec![format!("{section}: there is no such section")];
    }
    let Some(table) = value.as_table() else {
        return vec![format!("{section}: must be a section, written [{section}]")];
    };
    let strangers = table.keys().filter(|key| !known.contains(key.as_str()));
    strangers.map(|key| format!("{section}.{key}: there is no such setting")).collect()
}

/// `docs/generated/config.md`.
#[must_use]
pub fn docs() -> String {
    let intro = "# Configuration\n\nWritten from the table in `edge/server/src/config/mod.rs`. One TOML file, given by `--config`; every key has a default.\nA variable of the environment overrides the file: `params.candidates_max` is `LITFASS_PARAMS_CANDIDATES_MAX`.\n";
    let mut section = "";
    let mut out = intro.to_owned();
    for row in ROWS {
        if row.section != section {
            section = row.section;
            out.push_str(&format!(
                "\n## [{section}]\n\n| key | type | default | bounds | owner | meaning |\n|---|---|---|---|---|---|\n"
            ));
        }
        out.push_str(&row.markdown());
    }
    out
}

impl Row {
    fn markdown(&self) -> String {
        let bounds = self.bounds.map_or_else(String::new, |(low, high)| format!("{low} … {high}"));
        let kind = self.kind.trim_start_matches("an ").trim_start_matches("a ");
        format!("| `{}` | {kind} | `{}` | {bounds} | {} | {} |\n", self.key, self.default, self.owner, self.help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::from_text(text, environment).unwrap_err().0
    }

    #[test]
    fn the_page_in_the_docs_is_current() {
        crate::generated::assert_current("config.md", &docs());
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let config =
            Config::from_text("[params]\ncandidates_max = 77\n[server]\ndata_dir = 'a \"quoted\" one'", []).unwrap();
        assert_eq!(config.params.candidates_max, 77);
        assert_eq!(Config::from_text(&config.print(), []), Ok(config));
    }

    #[test]
    fn defaults_are_valid_and_the_environment_goes_first() {
        assert_eq!(Config::default().params.entrants_max, 50);
        let environment =
            [("LITFASS_LEDGER_LEASE_TTL".to_owned(), "2s".to_owned()), ("HOME".to_owned(), "/".to_owned())];
        let config = Config::from_text("[ledger]\nlease_ttl = \"9s\"", environment).unwrap();
        assert_eq!(config.ledger.lease_ttl, Duration::seconds(2));
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_paths() {
        let text = "[params]\ncandidates_max = 0\nentrants_max = \"7\"\nshots = 1\n[ledger]\ntoken_ttl = \"1y\"\n[sever]\nx = 1";
        let found = problems(text, &[("LITFASS_SERVER_LISTEN", "nowhere"), ("LITFASS_TYPO", "1")]);
        let starts = [
            "LITFASS_SERVER_LISTEN: must be an IP address",
            "ledger.token_ttl: must be a whole number and a unit",
            "params.candidates_max: must be 1 … 1000, not 0",
            "params.entrants_max: must be an integer, not string",
            "LITFASS_TYPO: there is no such setting",
            "params.shots: there is no such setting",
            "sever: there is no such section",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for start in starts {
            assert!(found.iter().any(|problem| problem.starts_with(start)), "{start}: {found:#?}");
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let text = "[ledger]\nlease_ttl = \"3m\"\ntoken_ttl = \"4m\"\n[params]\ncandidates_max = 10";
        let found = problems(text, &[]);
        for path in ["ledger.lease_ttl", "ledger.token_ttl", "params.entrants_max"] {
            assert!(found.iter().any(|problem| problem.starts_with(path)), "{path}: {found:#?}");
        }
    }

    #[test]
    fn a_collector_is_spoken_to_in_the_clear_and_only_by_builds_that_can() {
        for address in ["https://otel.example", "127.0.0.1:4318", "http://", "http:///v1", "http://a b"] {
            let found = problems(&format!("[telemetry]\notlp_endpoint = \"{address}\""), &[]);
            assert!(found[0].starts_with("telemetry.otlp_endpoint: must be an address"), "{found:?}");
        }
        let config = Config::from_text("[telemetry]\notlp_endpoint = \"http://otel.example:4318/\"", []);
        if telemetry::HAS_TRACES {
            let traces = config.unwrap().telemetry.otlp_endpoint.traces();
            assert_eq!(traces.as_deref(), Some("http://otel.example:4318/v1/traces"));
        } else {
            assert!(config.unwrap_err().0[0].starts_with("telemetry.otlp_endpoint: this binary sends no traces"));
        }
    }

    #[test]
    fn a_file_that_is_not_toml_is_named_with_its_line() {
        assert!(problems("[params\n", &[])[0].contains("line 1"));
        assert!(problems("params = 3", &[])[0].contains("must be a section"));
        let missing = Config::load(Some(Path::new("/nowhere/litfass.toml")), []).unwrap_err().to_string();
        assert!(missing.starts_with("/nowhere/litfass.toml: "), "{missing}");
    }
}
