//! Hands an upgraded connection over to its session.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use downbeat_protocol::Rights;
use futures_util::FutureExt as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;

use super::context::ConnectionContext;
use crate::{
    session::{context::SessionContext, serve::record_end},
    websocket::{client::Client, decoder::End, outbox::CutOff, transport::Transport},
};

/// How long the answer to the handshake may take to be written.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a client whose handshake is being answered. It runs in a task of its own: the one that spoke
/// HTTP ends, and its buffers are freed. If it panics, the client still leaves the room.
pub(super) async fn serve(
    context: ConnectionContext,
    upgrade: OnUpgrade,
    client: Arc<Client>,
    rights: Rights,
) {
    let hub = context.state.hub.clone();
    let serving = serve_upgraded(context, upgrade, client.clone(), rights);
    if AssertUnwindSafe(serving).catch_unwind().await.is_err() {
        hub.counters.connection_panics.increment();
        tracing::error!(id = client.id.0, "the client's task panicked; it is disconnected");
        client.outbox.cut_off(CutOff::Failed);
        hub.disconnect(&client).await;
    }
}

async fn serve_upgraded(
    context: ConnectionContext,
    upgrade: OnUpgrade,
    client: Arc<Client>,
    rights: Rights,
) {
    let ConnectionContext { state, shutdown, permit, .. } = context;
    let upgraded = timeout(ANSWER_TIMEOUT, upgrade).await;
    let Some((transport, early)) = upgraded.ok().and_then(Result::ok).and_then(into_parts) else {
        // The socket is gone, or does not accept the answer.
        state.hub.disconnect(&client).await;
        record_end(&state.hub.counters, End::Lost, client.outbox.phase(), false);
        return;
    };
    transport.enable_timestamps();
    let session = SessionContext {
        hub: state.hub.clone(),
        client,
        rights,
        messages_per_second: state.messages_per_second,
        permit,
    };
    session.serve(transport, early).await;
    // While one receiver is left, a shutdown waits.
    drop(shutdown);
}

/// The transport of an upgraded connection, and what was read past the handshake.
fn into_parts(upgraded: Upgraded) -> Option<(Transport, Vec<u8>)> {
    // What was read is copied, though mostly empty: the original would keep the whole read buffer of the
    // HTTP connection for as long as the client stays.
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let transport = Transport::plain(parts.io.into_inner());
            Some((transport, parts.read_buf.to_vec()))
        }
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>().ok()?;
            let (socket, session) = parts.io.into_inner().into_inner();
            Some((Transport::tls(socket, session), parts.read_buf.to_vec()))
        }
    }
}
