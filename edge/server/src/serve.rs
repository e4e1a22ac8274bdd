//! Serving: from a configuration to a listening process, and its clean end.

use std::future::{Future, IntoFuture};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::serve::ListenerExt;
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
        until_drained(listener, &node, stop).await
    });
    drop(node);
    // What waits for the disk on a thread of its own has had its time.
    runtime.shutdown_timeout(STRAGGLERS);
    running.close();
    served
}

/// How long threads that wait for the disk may hold up the end.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// Serves until asked to stop; then nothing new is taken, and what was begun has `server.drain_timeout` to end.
async fn until_drained(
    listener: TcpListener,
    node: &Arc<Node>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let draining = Arc::clone(node);
    let stop = async move {
        stop.await;
        draining.readiness.drain();
        drop(draining);
        // Nobody listens where serving has ended already.
        asked.send(()).unwrap_or(());
    };
    let limit = node.drain_timeout();
    let deadline = async {
        // An error says that serving ended by itself.
        if was_asked.await.is_ok() {
            tokio::time::sleep(limit).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let listener = listener.tap_io(|stream| {
        // Small answers to small requests: waiting for more to send would only add latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("{error}");
        }
    });
    let service = router(Arc::clone(node)).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = deadline => {
            tracing::warn!("requests were still open {limit:?} after the process was asked to stop: their connections are cut");
            Ok(())
        }
    }
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
