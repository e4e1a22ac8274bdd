//! What a user wants done with what is known of them, said by the site that knows who they are.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use litfass_events::{Privacy, Wish};
use litfass_types::TenantId;
use serde::Deserialize;

use super::empty;
use crate::access::{Action, Caller};
use crate::api::decisions::TEXT_MAX;
use crate::api::invalid::bounded;
use crate::api::number;
use crate::node::Node;
use crate::privacy::obey;
use crate::problem::{Code, Params, Problem};

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// Whose user it is; follows from a key that is narrower than the platform.
    #[serde(default, deserialize_with = "number::may_be_given")]
    tenant: Option<u64>,
}

pub(super) async fn erase(
    node: State<Arc<Node>>,
    caller: Caller,
    id: Path<String>,
    whose: Params<Whose>,
) -> Result<Response, Problem> {
    wished(node, caller, id, whose, Wish::Erase).await
}

pub(super) async fn opt_out(
    node: State<Arc<Node>>,
    caller: Caller,
    id: Path<String>,
    whose: Params<Whose>,
) -> Result<Response, Problem> {
    wished(node, caller, id, whose, Wish::OptOut).await
}

pub(super) async fn opt_in(
    node: State<Arc<Node>>,
    caller: Caller,
    id: Path<String>,
    whose: Params<Whose>,
) -> Result<Response, Problem> {
    wished(node, caller, id, whose, Wish::OptIn).await
}

async fn wished(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(whose): Params<Whose>,
    wish: Wish,
) -> Result<Response, Problem> {
    caller.may(Action::EraseUser)?;
    bounded("id", Some(&id), TEXT_MAX)?;
    let tenant = tenant(&node, &caller, &whose)?;
    let hash = node.users.hash(tenant, &id).map_err(Problem::internal)?;
    obey(node, caller.who(), Privacy { tenant, user: hash, wish }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn tenant(node: &Node, caller: &Caller, whose: &Whose) -> Result<TenantId, Problem> {
    let tenant = whose.tenant.map(TenantId).or_else(|| caller.scope.tenant());
    let tenant = tenant.ok_or_else(|| Problem::invalid("tenant", "say whose user it is: ?tenant=ID"))?;
    if node.world.load().catalog.tenant(tenant).is_some() && caller.reaches(tenant) {
        return Ok(tenant);
    }
    Err(Problem::new(Code::UnknownTenant, format!("there is no tenant {tenant}")).at("tenant"))
}
