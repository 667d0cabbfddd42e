//! Any axum router, served with limits, health, metrics and a graceful shutdown.
//!
//! ```sh
//! cargo run -p examples --bin serve-a-router
//! curl http://127.0.0.1:8080/greeting/you
//! curl http://127.0.0.1:8080/health/ready
//! curl http://127.0.0.1:8080/metrics
//! ```

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use mediator_core::server::{Server, ServerError, ServerSettings, listen, shutdown_signal};

#[tokio::main]
async fn main() -> Result<(), ServerError> {
    let router = Router::new().route(
        "/greeting/{name}",
        get(|Path(name): Path<String>| async move { format!("Good day, {name}.\n") }),
    );
    let listener = listen(([127, 0, 0, 1], 8080).into()).await?;
    Server::new(ServerSettings::default())
        .ready_check("clock", || async { Ok(()) })
        .serve(router, listener, shutdown_signal())
        .await?;
    Ok(())
}
