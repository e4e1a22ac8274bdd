//! Events as a stream: read and sent a piece at a time, however many there are.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::access::{Action, Caller, Scope};
use crate::api::instant::parsed;
use crate::api::invalid::{Invalid, one_of};
use crate::export::{Export, Format, Wanted, Whose};
use crate::node::Node;
use crate::problem::{Params, Problem};

/// Pieces read ahead of the receiver.
const AHEAD: usize = 4;
/// How long a receiver may take nothing before the stream is broken off.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportAsk {
    from: String,
    to: Option<String>,
    format: Option<String>,
}

pub(super) async fn export(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Params(ask): Params<ExportAsk>,
) -> Result<Response, Problem> {
    caller.may(Action::Report)?;
    let format = one_of("format", ask.format.as_deref(), Format::parse, Format::NAMES.into_iter())?;
    let format = format.unwrap_or(Format::Ndjson);
    let from = parsed("from", &ask.from)?;
    let to = ask.to.as_deref().map(|to| parsed("to", to)).transpose()?.unwrap_or_else(|| node.clock.now());
    if from >= to {
        return Err(Invalid::new("to", "must be after `from`").into());
    }
    let wanted = Wanted { from, to, whose: whose(caller.scope) };
    let place = node.lanes.exports.enter()?;
    let (pieces, received) = mpsc::channel(AHEAD);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        send(&node, wanted, format, &Receiver { pieces, runtime });
        drop(place);
    });
    let next = |mut received: mpsc::Receiver<anyhow::Result<String>>| async {
        let piece = received.recv().await?;
        Some((piece.map_err(|e| e.into_boxed_dyn_error()), received))
    };
    let body = Body::from_stream(futures_util::stream::unfold(received, next));
    Ok(([(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

const fn whose(scope: Scope) -> Whose {
    match scope {
        Scope::Platform => Whose::Everybodys,
        Scope::Tenant(tenant) => Whose::Tenant(tenant),
        Scope::Advertiser(tenant, advertiser) => Whose::Advertiser(tenant, advertiser),
    }
}

/// Whoever takes the stream.
struct Receiver {
    pieces: mpsc::Sender<anyhow::Result<String>>,
    runtime: Handle,
}

impl Receiver {
    /// Whether it was taken in time.
    fn took(&self, piece: anyhow::Result<String>) -> bool {
        self.runtime.block_on(self.pieces.send_timeout(piece, IDLE)).is_ok()
    }

    fn is_gone(&self) -> bool {
        self.pieces.is_closed()
    }
}

/// Until the end, a failure, or nobody listens any more. A failure breaks the stream off, so that a part is not taken for all.
fn send(node: &Node, wanted: Wanted, format: Format, receiver: &Receiver) {
    if let Err(error) = send_all(node, wanted, format, receiver) {
        tracing::warn!("an export of events broke off: {error:#}");
        receiver.took(Err(error));
    }
}

fn send_all(node: &Node, wanted: Wanted, format: Format, receiver: &Receiver) -> anyhow::Result<()> {
    let late = || anyhow::anyhow!("its receiver took nothing for {} s", IDLE.as_secs());
    let mut export = Export::new(&*node.log, wanted)?;
    anyhow::ensure!(receiver.took(Ok(format.head())), late());
    while let Some(rows) = export.next_rows()? {
        if receiver.is_gone() {
            return Ok(());
        }
        anyhow::ensure!(rows.is_empty() || receiver.took(Ok(format.write(&rows)?)), late());
    }
    Ok(())
}
