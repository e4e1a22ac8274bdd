//! `litfass admin`: keys, for whoever can read the data directory. A server may be running on it.

use std::io::Write;

use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;
use litfass_store::keys::{KeyId, KeyRow, KeyStore};
use litfass_types::Timestamp;

use super::Folder;
use crate::access::{Wanted, make};
use crate::api::keys::NewKeyAsk;
use crate::node::system_clock;

/// Who it is in the audit log.
const WHO: &str = "command line";

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make an API key and print it: the only time that it can be seen. From the first key on every caller needs one.
    CreateKey(NewKeyArgs),
    /// List all keys, without their texts.
    ListKeys(Folder),
    /// End a key's life; a running server refuses it within a second.
    RevokeKey {
        /// As `list-keys` shows it.
        id: u64,
        #[command(flatten)]
        place: Folder,
    },
}

#[derive(clap::Args, Debug)]
struct NewKeyArgs {
    /// admin, advertiser, reporting or serving.
    #[arg(long)]
    role: String,
    /// The tenant it is for; without one, the whole platform.
    #[arg(long)]
    tenant: Option<u64>,
    /// The advertiser it is for, of that tenant.
    #[arg(long)]
    advertiser: Option<u64>,
    /// What people call it.
    #[arg(long, default_value = "")]
    name: String,
    /// When it ends: a time such as 2027-01-31T00:00:00Z.
    #[arg(long)]
    expires: Option<String>,
    /// Requests a second; as configured where it is not given.
    #[arg(long)]
    rate: Option<u32>,
    #[command(flatten)]
    place: Folder,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        match self.command {
            Command::CreateKey(args) => args.run(),
            Command::ListKeys(place) => list(&place),
            Command::RevokeKey { id, place } => revoke(KeyId(id), &place),
        }
    }
}

fn store(folder: &Folder) -> Result<KeyStore> {
    let place = folder.place()?;
    KeyStore::open(&place).with_context(|| place.to_string())
}

impl NewKeyArgs {
    /// The key alone goes to standard output, so that a script can keep it.
    fn run(self) -> Result<()> {
        let (place, now) = (self.place.clone(), system_clock().now());
        let made = make(&mut store(&place)?, self.wanted(now)?, WHO, now)?;
        writeln!(std::io::stderr(), "{}\nIt is shown this once:", described(&made.row))?;
        writeln!(std::io::stdout(), "{}", made.text)?;
        Ok(())
    }

    fn wanted(self, now: Timestamp) -> Result<Wanted> {
        let expires = self.expires.as_deref().map(parse_time).transpose()?;
        let (role, tenant, advertiser) = (self.role, self.tenant, self.advertiser);
        let ask = NewKeyAsk { role, tenant, advertiser, name: self.name, expires, rate: self.rate };
        ask.check(now).map_err(|invalid| anyhow!("--{}: {}", invalid.field, invalid.detail))
    }
}

fn parse_time(text: &str) -> Result<i64> {
    let time: jiff::Timestamp = text.parse().with_context(|| format!("--expires: {text:?} is no time"))?;
    Ok(time.as_millisecond())
}

fn list(place: &Folder) -> Result<()> {
    for row in store(place)?.all()? {
        writeln!(std::io::stdout(), "{}", described(&row))?;
    }
    Ok(())
}

fn revoke(id: KeyId, place: &Folder) -> Result<()> {
    let Some(row) = store(place)?.revoke(id, WHO, system_clock().now())? else { bail!("there is no key {id}") };
    writeln!(std::io::stdout(), "{}", described(&row))?;
    Ok(())
}

fn described(row: &KeyRow) -> String {
    let mut line = format!("key {} {}", row.id, row.role.name());
    let mut add = |what: &str, value: Option<String>| {
        line.extend(value.map(|value| format!(" {what} {value}")));
    };
    add("tenant", row.scope.tenant().map(|id| id.to_string()));
    add("advertiser", row.scope.advertiser().map(|id| id.to_string()));
    add("named", Some(format!("{:?}", row.name)).filter(|_| !row.name.is_empty()));
    add("expires", row.expires.map(time_text));
    add("revoked", row.revoked.map(time_text));
    line
}

fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |time| time.to_string())
}
