//! Carries out what a user wishes: an entry of the log first, so that state built anew from the log forgets too.
//!
//! In memory it is in force only once it is on disk: nobody is told of a wish that a crash could undo, and one that the log refuses
//! changes nothing. What comes in meanwhile and lies in the log behind the wish is dropped by the folds, which ask
//! [`litfass_store::fold::Choices`].

use std::sync::Arc;

use litfass_events::{PartitionKey, Privacy, named_id};
use litfass_store::audit;
use litfass_store::log::{AppendError, Until};
use litfass_store::wire::{self, Body};
use litfass_types::Timestamp;

use crate::node::Node;
use crate::problem::Problem;
use crate::secrets::random;

/// Returns once it is on disk and in force.
///
/// # Errors
/// When the log or the audit log does not take it; sending it again does no harm.
pub async fn obey(node: Arc<Node>, who: String, privacy: Privacy) -> Result<(), Problem> {
    let (now, Privacy { tenant, user, wish }) = (node.clock.now(), privacy);
    append(&node, &privacy, now).await?;
    // The folds will come to the entry; whoever asked need not wait for them.
    node.ingest.choices.obey(&privacy, now);
    if wish.forgets() {
        node.decider.gather.viewers.erase(user);
        node.caps.erase(user);
    }
    let entry = audit::Entry {
        time: now,
        who,
        action: wish.name().to_owned(),
        tenant: Some(tenant),
        kind: "user".to_owned(),
        object: user.to_string(),
        before: None,
        after: None,
    };
    let written = tokio::task::spawn_blocking(move || node.audit.write(&entry)).await;
    written.map_err(Problem::internal)?.map_err(Problem::internal)
}

async fn append(node: &Node, privacy: &Privacy, now: Timestamp) -> Result<(), Problem> {
    let name: [u8; 16] = random().map_err(Problem::internal)?;
    let (id, key) = (named_id("privacy", &name), PartitionKey::of_user(privacy.user));
    let partition = node.log.partition(&node.config.server.name, key).ok_or(AppendError::Closed)?;
    let entry = wire::entry(partition, id, now, key, &Body::Privacy(*privacy));
    let appended = node.log.append(vec![entry], Until::Committed).await;
    appended.into_iter().try_for_each(|result| result.map(|_| ())).map_err(Problem::from)
}
