use std::net::SocketAddr;

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Seen, Tokens};
use crate::request_head;

/// One request: what is wrong with the connection is the other side's, which has seen it too.
pub(super) async fn serve(
    mut client: TlsStream<TcpStream>,
    server: SocketAddr,
    tokens: Option<&Tokens>,
    seen: &Seen,
) {
    let Ok(Some(head)) = request_head::read(&mut client).await else {
        return; // a connection that was not used
    };
    let since = *seen.tokens_since.lock().unwrap();
    if let Some(tokens) = tokens
        && let Err(reason) = tokens.check(&head, since).await
    {
        seen.refused.lock().unwrap().push(reason);
        let _ = refuse(&mut client).await;
        return;
    }
    *seen.let_in.lock().unwrap() += 1;
    let Ok(mut upstream) = TcpStream::connect(server).await else {
        return;
    };
    if upstream.write_all(&head).await.is_ok() {
        let _ = copy_bidirectional(&mut client, &mut upstream).await;
    }
}

async fn refuse(client: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n";
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await?;
    // Closing before the request was read would reset the connection.
    tokio::io::copy(client, &mut tokio::io::sink()).await?;
    Ok(())
}
