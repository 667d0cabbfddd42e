//! Everything the server refuses by itself, in the application's words.

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use http::{Request, StatusCode, header};
use mediator_core::server::{RequestBody, Server, ServerSettings};

use super::{Body, Running, start};

async fn server() -> Running {
    let application = Router::new()
        .route("/echo", post(|body: RequestBody| async { body.0 }))
        .route("/axum", post(|body: axum::body::Bytes| async { body }))
        .route("/panic", get(|| async { panic!("on purpose") as &str }));
    let settings = ServerSettings {
        maximum_body_bytes: 1000,
        ..ServerSettings::default()
    };
    let server = Server::new(settings).refusals(|refusal| {
        (
            // The status is the server's business, whatever the application says.
            StatusCode::IM_A_TEAPOT,
            [(header::CONTENT_TYPE, "application/fhir+json")],
            format!("refused: {refusal}"),
        )
            .into_response()
    });
    start(server, application).await
}

#[tokio::test]
async fn unknown_paths() {
    let answer = server().await.get("/nowhere").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["content-type"], "application/fhir+json");
    assert_eq!(answer.text(), "refused: there is nothing at this path");
}

#[tokio::test]
async fn other_methods_with_the_allowed_ones() {
    let server = server().await;
    for (path, allowed) in [("/echo", "POST"), ("/health/live", "GET,HEAD")] {
        let request = Request::delete(server.url(path)).body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.headers["allow"], allowed);
        assert!(answer.text().starts_with("refused: "), "{path}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_long() {
    let server = server().await;
    let fits = server.post("/echo", vec![b'x'; 1000]).await;
    assert_eq!((fits.status, fits.body.len()), (StatusCode::OK, 1000));

    let announced = server.post("/echo", vec![b'x'; 1001]).await;
    assert_eq!(announced.status, 413);
    assert!(announced.text().contains("1000 bytes"));

    // Not announced: chunked.
    let chunks = [
        Ok::<_, std::io::Error>(vec![b'x'; 600]),
        Ok(vec![b'x'; 600]),
    ];
    let chunked = Body::from_stream(futures_stream(chunks));
    let answer = server.post("/echo", chunked).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().starts_with("refused: "));

    // axum's own extractors keep to the same limit.
    let chunks = [
        Ok::<_, std::io::Error>(vec![b'x'; 600]),
        Ok(vec![b'x'; 600]),
    ];
    let chunked = Body::from_stream(futures_stream(chunks));
    assert_eq!(server.post("/axum", chunked).await.status, 413);
}

#[tokio::test]
async fn a_client_that_goes_on_sending_reads_the_answer_all_the_same() {
    let server = server().await;
    for _ in 0..20 {
        let answer = server.post("/echo", vec![b'x'; 20_000_000]).await;
        assert_eq!(answer.status, 413);
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_before_it_has_sent_everything() {
    use tokio::io::AsyncWriteExt as _;
    let server = server().await;
    let chunked = "transfer-encoding: chunked";
    for (path, framing, status) in [
        ("/echo", "content-length: 20000016", 413),
        ("/echo", chunked, 413),
        ("/nowhere", chunked, 404),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
        let mut stream = server.raw(&head).await;
        // As a chunk of that many bytes, or not.
        stream.write_all(b"1312D00\r\n").await.unwrap();
        let body = vec![b'x'; 20_000_000];
        stream.write_all(&body).await.expect("the server reads on");
        stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer)
            .await
            .unwrap();
        let expected = format!("HTTP/1.1 {status}");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{framing}");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_at_once() {
    let server = server().await;
    let mut stream = server
        .raw("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let start = std::time::Instant::now();
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer)
        .await
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test]
async fn a_broken_off_body() {
    use tokio::io::AsyncWriteExt as _;
    let server = server().await;
    let mut stream = server
        .raw("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    stream.shutdown().await.unwrap();
    let text = super::read_to_end(&mut stream).await;
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 400"),
        "{text}"
    );
    assert_eq!(server.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_panic_and_the_server_lives_on() {
    let server = server().await;
    let answer = server.get("/panic").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("on purpose"));
    assert_eq!(server.post("/echo", "x").await.text(), "x");
}

#[tokio::test]
async fn plain_text_unless_the_application_says_otherwise() {
    let server = start(Server::new(ServerSettings::default()), Router::new()).await;
    let answer = server.get("/").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.text(), "there is nothing at this path\n");
}

fn futures_stream<T: Send + Unpin + 'static>(
    items: impl IntoIterator<Item = T, IntoIter: Send + Unpin + 'static>,
) -> impl futures::Stream<Item = T> + Send + 'static {
    let mut items = items.into_iter();
    futures::stream::poll_fn(move |_| std::task::Poll::Ready(items.next()))
}
