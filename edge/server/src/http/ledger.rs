//! Questions to the ledger that may take long: each has a place in a lane and a connection of its own, which is interrupted where
//! it takes too long or nobody waits for the answer any more. What readiness, money and logins need waits for none of them.

use std::sync::Arc;

use anyhow::Result;
use litfass_store::ledger::LedgerReader;
use tokio::sync::OwnedSemaphorePermit;

use super::blocking;
use crate::node::Node;
use crate::problem::{Code, Problem};
use crate::vault::LONGEST;

pub(super) async fn asked<T: Send + 'static>(
    node: &Arc<Node>,
    place: OwnedSemaphorePermit,
    question: impl FnOnce(&Node, &dyn LedgerReader) -> Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let (opening, own) = (Arc::clone(node), Arc::clone(node));
    let (reader, _stopped) = blocking(move || opening.vault.bounded_reader()).await?;
    let work = blocking(move || {
        let answer = question(&own, &*reader);
        drop(place);
        answer
    });
    let late = |_| Problem::new(Code::Busy, format!("this takes longer than {} s: ask for less", LONGEST.as_secs()));
    tokio::time::timeout(LONGEST, work).await.map_err(late)?
}
