use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// How long an end waits for the thread that sends, after the five seconds that the SDK waits for
/// what it has to send.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a collector may take to accept spans.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go, and whose they are. Everything else is configured as OpenTelemetry says:
/// `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// The collector's base URL, to which `v1/traces` is appended. `None`: that of
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://localhost:4318`.
    pub endpoint: Option<Url>,
    /// The resource's `service.name`.
    pub service_name: String,
    /// The resource's `service.version`.
    pub service_version: String,
}

/// Sends spans to an OpenTelemetry collector (OTLP, protobuf over HTTP), in batches.
///
/// ```no_run
/// use mediator_core::telemetry::{Telemetry, TelemetrySettings};
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = TelemetrySettings {
///     endpoint: Some("http://collector:4318".parse()?),
///     service_name: "hello-mediator".to_owned(),
///     service_version: env!("CARGO_PKG_VERSION").to_owned(),
/// };
/// let telemetry = Telemetry::start(&settings, &tokio::runtime::Handle::current())?;
/// let log = tracing_subscriber::fmt::layer();
/// let subscriber = tracing_subscriber::registry().with(log).with(telemetry.layer());
/// tracing::subscriber::set_global_default(subscriber)?;
/// // ... serve ...
/// telemetry.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Why spans are not sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// An `OTEL_*` variable or the endpoint cannot be used.
    #[error(
        "spans cannot be exported: {0}; check the endpoint and the OTEL_* environment variables"
    )]
    Start(String),
    /// The last spans are lost.
    #[error("the last spans were not exported: {0}; is the collector reachable?")]
    Flush(String),
}

impl Telemetry {
    /// Begins to send what [`Telemetry::layer`] gets, on this runtime.
    ///
    /// # Errors
    /// [`TelemetryError::Start`]. Not when the collector does not answer: that is logged, again
    /// and again, and the spans are dropped.
    pub fn start(settings: &TelemetrySettings, runtime: &Handle) -> Result<Self, TelemetryError> {
        let http = reqwest::Client::builder()
            .timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| TelemetryError::Start(error.to_string()))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime {
                http,
                runtime: runtime.clone(),
            });
        if let Some(endpoint) = &settings.endpoint {
            let base = endpoint.as_str().trim_end_matches('/');
            exporter = exporter.with_endpoint(format!("{base}/v1/traces"));
        }
        let exporter = exporter
            .build()
            .map_err(|error| TelemetryError::Start(error.to_string()))?;
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new(
                "service.version",
                settings.service_version.clone(),
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// The layer that sends spans, and the log lines within them, from level INFO up: below it are
    /// those of the HTTP client that sends them.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(LevelFilter::INFO)
    }

    /// Sends what is not sent yet, for six seconds at most; what comes later is dropped.
    ///
    /// # Errors
    /// [`TelemetryError::Flush`].
    pub async fn shutdown(self) -> Result<(), TelemetryError> {
        let end = move || {
            // The end itself does not tell whether anything was sent.
            let flushed = self.provider.force_flush();
            flushed.and(self.provider.shutdown_with_timeout(END_TIMEOUT))
        };
        match tokio::task::spawn_blocking(end).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(TelemetryError::Flush(error.to_string())),
            Err(error) => Err(TelemetryError::Flush(error.to_string())),
        }
    }
}

/// The SDK exports on a thread of its own, and the HTTP client works on tokio's only.
#[derive(Debug)]
struct OnRuntime {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        self.runtime
            .spawn(async move { http.send_bytes(request).await })
            .await?
    }
}
