//! Ending without losing what is running.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use mediator_core::server::{InFlight, Server, ServerSettings, Stopped};
use tokio::net::TcpStream;

use super::{quick, read_to_end, start};

#[tokio::test]
async fn what_is_running_is_finished_and_answered() {
    let application = Router::new().route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "finished"
        }),
    );
    let server = start(Server::new(ServerSettings::default()), application).await;
    let address = server.address;
    let mut idle = server.raw("").await;
    let mut stream = server.raw("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    let answer = tokio::spawn(async move { read_to_end(&mut stream).await });
    let stopped = server.stop().await;
    assert_eq!(
        stopped,
        Stopped {
            abandoned_requests: 0
        }
    );
    assert!(answer.await.unwrap().ends_with("finished"));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn work_without_a_client_is_waited_for() {
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let application = Router::new().route(
        "/work",
        post(|in_flight: InFlight| {
            in_flight.finish(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                flag.store(true, Ordering::SeqCst);
            })
        }),
    );
    let server = start(Server::new(ServerSettings::default()), application).await;
    let stream = server
        .raw("POST /work HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    assert_eq!(
        server.stop().await,
        Stopped {
            abandoned_requests: 0
        }
    );
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_grace_period_ends() {
    let application = Router::new().route("/never", get(std::future::pending::<&str>));
    let settings = ServerSettings {
        request_timeout: Duration::from_secs(60),
        ..quick()
    };
    let server = start(Server::new(settings), application).await;
    let _stream = server.raw("GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Stopped {
            abandoned_requests: 1
        }
    );
    assert!(start.elapsed() < Duration::from_secs(2));
}
