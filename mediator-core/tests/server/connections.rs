//! What clients may do with connections.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mediator_core::server::{Server, ServerError, ServerSettings, listen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Answer, quick, read_to_end, start};

fn application() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn http_1_and_2() {
    let server = start(Server::new(ServerSettings::default()), application()).await;
    for http2 in [false, true] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http();
        let request = Request::get(server.url("/")).body(Body::empty()).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.version() == Version::HTTP_2, http2);
        let answer = Answer::of(response).await;
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.headers["content-length"], "5");
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = start(Server::new(quick()), application()).await;
    for sent in [
        "",
        // Could still become HTTP/1's POST or HTTP/2's PRI.
        "P",
        "GET / HTTP/1.1\r\nhost: x\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let start = Instant::now();
        let mut stream = server.raw(sent).await;
        read_to_end(&mut stream).await;
        assert!(start.elapsed() >= Duration::from_millis(150), "{sent:?}");
        assert!(start.elapsed() < Duration::from_secs(2), "{sent:?}");
    }
}

#[tokio::test]
async fn a_head_sent_letter_by_letter_is_given_up() {
    let server = start(Server::new(quick()), application()).await;
    let mut stream = server.raw("GET / HTTP/1.1\r\nx: ").await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if stream.write_all(b"a").await.is_err() {
            return;
        }
    }
    panic!("the server still listens after 3 s");
}

#[tokio::test]
async fn a_connection_in_use_stays() {
    let server = start(Server::new(quick()), application()).await;
    let mut stream = server.raw("").await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        while !answer.ends_with(b"hello") {
            let next = stream.read_u8().await.unwrap();
            answer.rotate_left(1);
            answer[14] = next;
        }
    }
}

#[tokio::test]
async fn connections_are_bounded() {
    let settings = ServerSettings {
        maximum_connections: 2,
        ..quick()
    };
    let server = start(Server::new(settings), application()).await;
    let held = [server.raw("").await, server.raw("").await];
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    // Answered as soon as the idle ones are closed.
    assert_eq!(server.get("/").await.text(), "hello");
    assert!(start.elapsed() > Duration::from_millis(100));
    drop(held);
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = start(Server::new(quick()), application()).await;
    let long = "a".repeat(100_000);
    let mut stream = server
        .raw(&format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"))
        .await;
    let text = read_to_end(&mut stream).await;
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = start(Server::new(quick()), application()).await;
    let error = listen(server.address).await.err().unwrap();
    assert!(matches!(error, ServerError::Listen { .. }));
    assert!(error.to_string().contains(&server.address.to_string()));
}
