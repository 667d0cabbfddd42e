use std::time::Duration;

/// What a server allows its clients. Every limit is there so that no client can take the server
/// from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Longest request body, in bytes; a longer one is answered with 413.
    pub maximum_body_bytes: usize,
    /// From a request's head to its answer: 408 when the body has not arrived by then, 504 when
    /// the application has not answered.
    pub request_timeout: Duration,
    /// Requests worked on at once; a further one is answered with 503 and `Retry-After`.
    pub maximum_concurrent_requests: usize,
    /// Open connections; a further one waits until another is closed.
    pub maximum_connections: usize,
    /// How long a connection may stay without a request: before the first, between two, and while
    /// a request's head is arriving.
    pub idle_timeout: Duration,
    /// How long a shutdown waits for what is running.
    pub shutdown_grace: Duration,
    /// `Retry-After` of an answer to overload, rounded up to whole seconds.
    pub retry_after: Duration,
}

impl Default for ServerSettings {
    /// 8 MiB, 30 s, 256 requests, 1024 connections, 30 s idle, 20 s grace (Kubernetes kills after
    /// 30), retry after 1 s.
    fn default() -> Self {
        Self {
            maximum_body_bytes: 8 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            maximum_concurrent_requests: 256,
            maximum_connections: 1024,
            idle_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(20),
            retry_after: Duration::from_secs(1),
        }
    }
}
