//! `litfass import`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use litfass_train::import::online_retail;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand, Debug)]
enum Source {
    /// The UCI Online Retail log: a CSV file, or the same compressed as .zst.
    OnlineRetail {
        file: PathBuf,
        /// The folder to write; it must not be there yet, or be a dataset.
        #[arg(long)]
        out: PathBuf,
        /// Real exchange requests (one JSON object a line, or .zst) whose sites and browsers are joined at random.
        #[arg(long)]
        bid_requests: Option<PathBuf>,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Source::OnlineRetail { file, out, bid_requests } = self.source;
        let manifest = online_retail::import(&file, &out, bid_requests.as_deref())?;
        let mut page = std::io::stdout();
        writeln!(page, "{} lines read, {} imported", manifest.lines_read, manifest.lines_imported)?;
        for (reason, lines) in &manifest.excluded {
            writeln!(page, "  {lines} left out: {reason}")?;
        }
        let (requests, customers, products) = (manifest.requests, manifest.customers, manifest.products);
        writeln!(page, "{requests} baskets of {customers} customers, {products} products")?;
        for made_up in &manifest.synthetic {
            writeln!(page, "  synthetic: {made_up}")?;
        }
        Ok(())
    }
}
