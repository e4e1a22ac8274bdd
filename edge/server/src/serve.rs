//! Serving: from a configuration to a listening process, and its clean end.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;

use crate::http::router;
use crate::node::{Node, Running};

/// Serves until `stop` resolves, then finishes what was begun, writes down what is in memory and gives back what was leased.
/// `ready` runs once the socket listens.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve(
    running: Running,
    ready: impl FnOnce(&Arc<Node>, SocketAddr) -> Result<()>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let node = Arc::clone(&running.node);
    if let Err(refused) = is_guarded(&node) {
        running.close();
        return Err(refused);
    }
    let served = runtime.block_on(async {
        let listen = node.config.server.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        announce(address)?;
        ready(&node, address)?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Small answers to small requests: waiting for more to send would only add latency.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("{error}");
            }
        });
        let service = router(Arc::clone(&node)).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(stop).await?;
        Ok(())
    });
    drop(node);
    drop(runtime);
    running.close();
    served
}

/// Nobody but this machine reaches a server without keys.
fn is_guarded(node: &Node) -> Result<()> {
    let listen = node.config.server.listen;
    if listen.ip().is_loopback() || node.keys.exist() {
        return Ok(());
    }
    bail!(
        "server.listen: {listen} is not a loopback address, and there is no API key yet: make the first one with \
         `litfass admin create-key --role admin`"
    )
}

/// The one line on standard output that scripts wait for.
fn announce(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    Ok(())
}

/// Ctrl-c or a polite kill.
pub async fn asked_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
