//! Serving: from a configuration to a listening process, and its clean end.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::config::Config;
use crate::http::router;
use crate::node::{Node, Running, span};

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
        until_drained(listener, &node, stop).await;
        Ok(())
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
async fn until_drained(listener: TcpListener, node: &Arc<Node>, stop: impl Future<Output = ()>) {
    let (http, service) = (protocol(&node.config), TowerToHyperService::new(router(Arc::clone(node))));
    let (connections, mut stop) = (GracefulShutdown::new(), pin!(stop));
    loop {
        tokio::select! {
            () = &mut stop => break,
            (stream, peer) = accepted(&listener) => {
                let service = service.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    service.call(request)
                });
                let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    // Whoever went away, or was too slow, is not there to be told.
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                });
            }
        }
    }
    node.readiness.drain();
    drop(listener);
    let limit = node.drain_timeout();
    if tokio::time::timeout(limit, connections.shutdown()).await.is_err() {
        tracing::warn!(
            "requests were still open {limit:?} after the process was asked to stop: their connections are cut"
        );
    }
}

/// HTTP/1.1 in which nobody takes for ever to say what they want.
fn protocol(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(span(config.server.header_timeout));
    http
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers to small requests: waiting for more to send would only add latency.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("{error}");
                }
                return (stream, peer);
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                // No descriptor is left, say: some connection may end meanwhile.
                tracing::error!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

fn is_the_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
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
