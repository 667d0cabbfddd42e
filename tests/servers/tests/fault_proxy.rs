//! The proxy for fault tests, with an HTTP server that counts behind it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use real_servers::fault_proxy::{Fault, FaultProxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each request with `pong`, and counts them.
async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";
                    let sent = stream.write_all(answer).await;
                    let request = String::from_utf8_lossy(&buffer[..read]);
                    if sent.is_err() || request.contains("Connection: close") {
                        break;
                    }
                }
            });
        }
    });
    (address, served)
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder.build().unwrap()
}

async fn ask(proxy: &FaultProxy) -> reqwest::Result<(u16, String)> {
    let answer = client().get(format!("http://{}/", proxy.address())).send();
    let answer = answer.await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

fn pong() -> (u16, String) {
    (200, "pong".to_owned())
}

#[tokio::test]
async fn everything_passes_until_something_is_to_go_wrong() {
    let (server, served) = server().await;
    let proxy = FaultProxy::http(server).await;
    let client = client();
    for _ in 0..3 {
        let answer = client.get(format!("http://{}/", proxy.address())).send();
        assert_eq!(answer.await.unwrap().text().await.unwrap(), "pong");
    }
    assert_eq!((proxy.requests(), served.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn answers_are_made_up_a_number_of_times() {
    let (server, served) = server().await;
    let proxy = FaultProxy::http(server).await;
    let busy = Fault::answer_with(503, &[("Retry-After", "1")], "busy");
    proxy.fail_times(2, busy);
    let answer = client().get(format!("http://{}/", proxy.address())).send();
    assert_eq!(answer.await.unwrap().headers()["retry-after"], "1");
    assert_eq!(ask(&proxy).await.unwrap(), (503, "busy".to_owned()));
    assert_eq!(ask(&proxy).await.unwrap(), pong());
    assert_eq!(served.load(Ordering::SeqCst), 1);
    proxy.fail(Fault::rubbish());
    assert!(!ask(&proxy).await.unwrap_err().is_connect());
    proxy.fail(Fault::Close);
    ask(&proxy).await.unwrap_err();
    proxy.recover().await;
    assert_eq!(ask(&proxy).await.unwrap(), pong());
}

#[tokio::test]
async fn an_answer_is_lost_after_the_work_is_done() {
    let (server, served) = server().await;
    let proxy = FaultProxy::http(server).await;
    for fault in [Fault::LoseAnswer, Fault::BreakOff(40)] {
        let before = served.load(Ordering::SeqCst);
        proxy.fail_times(1, fault);
        let error = ask(&proxy).await.unwrap_err();
        assert!(!error.is_connect(), "{error:?}");
        assert_eq!(served.load(Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn it_hangs_and_is_late() {
    let (server, served) = server().await;
    let proxy = FaultProxy::http(server).await;
    proxy.fail_times(1, Fault::Hang);
    let short = Duration::from_millis(200);
    tokio::time::timeout(short, ask(&proxy)).await.unwrap_err();
    assert_eq!(served.load(Ordering::SeqCst), 0);
    proxy.fail(Fault::Late(Duration::from_millis(300)));
    let begun = std::time::Instant::now();
    assert_eq!(ask(&proxy).await.unwrap(), pong());
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn it_refuses_connections_and_is_back_at_the_same_address() {
    let (server, _) = server().await;
    let proxy = FaultProxy::http(server).await;
    for _ in 0..2 {
        proxy.refuse().await;
        assert!(ask(&proxy).await.unwrap_err().is_connect());
        proxy.recover().await;
        assert_eq!(ask(&proxy).await.unwrap(), pong());
    }
}

#[tokio::test]
async fn connections_of_any_protocol_are_cut() {
    let (server, _) = server().await;
    let proxy = FaultProxy::tcp(server).await;
    let mut stream = tokio::net::TcpStream::connect(proxy.address())
        .await
        .unwrap();
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        stream.write_all(b"ping").await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    proxy.cut().await;
    assert!(!matches!(stream.read(&mut buffer).await, Ok(1..)));
}
