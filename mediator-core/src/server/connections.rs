use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt as _;

use super::Stopped;
use super::settings::ServerSettings;
use super::tls::{ClientCertificate, Tls};

/// Longest head of a request, in bytes.
const MAXIMUM_HEAD: usize = 64 * 1024;

/// Requests that one HTTP/2 connection may have open.
const MAXIMUM_STREAMS: u32 = 100;

pub(super) async fn serve<L>(
    mut listener: L,
    router: Router,
    settings: &ServerSettings,
    tls: Option<Tls>,
    permits: Arc<Semaphore>,
    shutdown: impl Future<Output = ()> + Send,
) -> Stopped
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(settings.maximum_connections));
    let (closing, is_closing) = watch::channel(false);
    let builder = builder(settings);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (io, address)) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let mut connection = Connection {
            builder: builder.clone(),
            router: router.clone(),
            idle_timeout: settings.idle_timeout,
            is_closing: is_closing.clone(),
            address: ConnectInfo(address),
            certificate: None,
        };
        let tls = tls.clone();
        connections.spawn(async move {
            let _place = place;
            let _counted = CountedConnection::new();
            let Some(tls) = tls else {
                return connection.serve(io).await;
            };
            let shaken = tokio::select! {
                shaken = tls.handshake(io) => shaken,
                _ = connection.is_closing.wait_for(|closing| *closing) => None,
            };
            if let Some((io, certificate)) = shaken {
                connection.certificate = certificate;
                connection.serve(io).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    let all = settings.maximum_concurrent_requests;
    let finished = async {
        while connections.join_next().await.is_some() {}
        // Work that outlives its connection; see InFlight.
        drop(
            permits
                .acquire_many(u32::try_from(all).unwrap_or(u32::MAX))
                .await,
        );
    };
    let abandoned_requests = match timeout(settings.shutdown_grace, finished).await {
        Ok(()) => 0,
        Err(_) => all.saturating_sub(permits.available_permits()),
    };
    connections.shutdown().await;
    Stopped { abandoned_requests }
}

fn builder(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle_timeout)
        .max_buf_size(MAXIMUM_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAXIMUM_STREAMS)
        .keep_alive_interval(settings.idle_timeout)
        .keep_alive_timeout(settings.idle_timeout);
    builder
}

struct Connection<A> {
    builder: auto::Builder<TokioExecutor>,
    router: Router,
    idle_timeout: Duration,
    is_closing: watch::Receiver<bool>,
    address: ConnectInfo<A>,
    certificate: Option<ClientCertificate>,
}

impl<A: Clone + Send + Sync + 'static> Connection<A> {
    /// hyper's own timeout starts with a request's first byte and knows HTTP/1 only; a connection
    /// on which nothing is asked is closed here, whatever it speaks.
    async fn serve(mut self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = Arc::new(Activity::new());
        let service = {
            let activity = Arc::clone(&activity);
            let Self {
                router,
                address,
                certificate,
                ..
            } = self;
            service_fn(move |mut request: Request<Incoming>| {
                let running = Running::start(&activity);
                request.extensions_mut().insert(address.clone());
                if let Some(certificate) = &certificate {
                    request.extensions_mut().insert(certificate.clone());
                }
                let response = router.clone().oneshot(request.map(Body::new));
                async move {
                    let response: Response = response.await?;
                    Ok::<_, Infallible>(response.map(|body| RunningBody { body, running }))
                }
            })
        };
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(io), service));
        let mut closes_at: Option<Instant> = None;
        let mut told_to_close = false;
        loop {
            let look_again = closes_at.unwrap_or_else(|| activity.idle_at(self.idle_timeout));
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended with an error");
                    }
                    return;
                }
                _ = self.is_closing.wait_for(|closing| *closing), if !told_to_close => {
                    connection.as_mut().graceful_shutdown();
                    told_to_close = true;
                }
                () = sleep_until(look_again) => {
                    if activity.idle_at(self.idle_timeout) > Instant::now() {
                        closes_at = None;
                    } else if closes_at.is_some() {
                        return;
                    } else {
                        // A client that is slow to read its last answer gets the same time again.
                        connection.as_mut().graceful_shutdown();
                        closes_at = Some(Instant::now() + self.idle_timeout);
                    }
                }
            }
        }
    }
}

/// How many requests a connection is working on, and since when on none.
struct Activity {
    running: AtomicUsize,
    idle_since: Mutex<Instant>,
}

impl Activity {
    fn new() -> Self {
        Self {
            running: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
        }
    }

    /// When the connection will have been idle for so long; later when it is at work.
    fn idle_at(&self, idle_timeout: Duration) -> Instant {
        if self.running.load(Ordering::Acquire) > 0 {
            return Instant::now() + idle_timeout;
        }
        *self
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            + idle_timeout
    }
}

/// A request from its head to the end of its answer.
struct Running(Arc<Activity>);

impl Running {
    fn start(activity: &Arc<Activity>) -> Self {
        activity.running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self
            .0
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

struct RunningBody {
    body: Body,
    #[expect(dead_code, reason = "held until the answer is sent")]
    running: Running,
}

impl HttpBody for RunningBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

struct CountedConnection;

impl CountedConnection {
    fn new() -> Self {
        metrics::gauge!("http_connections").increment(1.0);
        Self
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        metrics::gauge!("http_connections").decrement(1.0);
    }
}
