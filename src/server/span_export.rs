//! Sends spans to a collector, by OTLP over HTTP.
//!
//! A thread of the SDK gathers spans into batches, and tries again where the protocol says so. What waits is bounded
//! here, where what is dropped can be counted; no request ever waits. Requests to the collector go through the
//! server's own fetcher, with its TLS and its bounds.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Context, KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter as OtlpExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    resource::{ResourceDetector as _, TelemetryResourceDetector},
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData,
        SpanExporter, SpanProcessor,
    },
};
use tokio::{runtime::Handle, task, time::timeout};
use url::Url;

use crate::{
    config::{Config, TraceSampler, TracesConfig, export_headers},
    entropy::Entropy,
    http::fetch::{FetchError, Fetcher, Reach},
    internet::Internet,
    metrics::TraceMetrics,
    traces::RequestTracer,
};

/// The largest answer of a collector, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the last spans may take when the server stops.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// The way of spans from requests to a collector.
pub(super) struct SpanExport {
    pub(super) tracer: RequestTracer,
    provider: SdkTracerProvider,
}

impl SpanExport {
    /// `None` unless the settings say where spans go. Spans are sent by tasks of the current runtime.
    pub(super) fn start(
        config: &Config,
        internet: &Internet,
        entropy: &Entropy,
        metrics: &Arc<TraceMetrics>,
    ) -> Result<Option<Self>, ExporterBuildError> {
        let settings = &config.traces;
        let Some(url) = &settings.endpoint else { return Ok(None) };
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(Collector::new(settings, url, internet))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_timeout(Duration::from_millis(settings.timeout_milliseconds))
            .build()?;
        let exporter =
            Counted { exporter, metrics: Arc::clone(metrics), is_failing: AtomicBool::default() };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_max)
            .with_max_export_batch_size(settings.batch_max.min(settings.queue_max))
            .with_scheduled_delay(Duration::from_millis(settings.delay_milliseconds))
            .build();
        let bounded = Bounded {
            batches: BatchSpanProcessor::new(exporter, batches),
            waiting_max: settings.queue_max,
            metrics: Arc::clone(metrics),
        };
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler(settings))
            .with_resource(resource(settings, entropy))
            .with_span_processor(bounded)
            .build();
        let tracer = provider.tracer("doorward");
        let tracer = RequestTracer::new(tracer, &config.server.issuer, config.log.addresses);
        Ok(Some(Self { tracer, provider }))
    }

    /// Sends what waits, as far as the collector accepts it soon.
    pub(super) async fn stop(&self) {
        let provider = self.provider.clone();
        let last = task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_WITHIN));
        if !matches!(timeout(LAST_WITHIN, last).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans were not sent");
        }
    }
}

impl Drop for SpanExport {
    /// The SDK would wait for its thread: a server that is stopped at once does not.
    fn drop(&mut self) {
        let _stopped_before = self.provider.shutdown_with_timeout(Duration::ZERO);
    }
}

fn sampler(settings: &TracesConfig) -> Sampler {
    let share = || Sampler::TraceIdRatioBased(settings.sampler_ratio.value());
    let or = |root| Sampler::ParentBased(Box::new(root));
    match settings.sampler {
        TraceSampler::AlwaysOn => Sampler::AlwaysOn,
        TraceSampler::AlwaysOff => Sampler::AlwaysOff,
        TraceSampler::Ratio => share(),
        TraceSampler::ParentOrAlwaysOn => or(Sampler::AlwaysOn),
        TraceSampler::ParentOrAlwaysOff => or(Sampler::AlwaysOff),
        TraceSampler::ParentOrRatio => or(share()),
    }
}

/// What all spans say of this process. Attributes of the settings win, but for the name where both are given.
fn resource(settings: &TracesConfig, entropy: &Entropy) -> Resource {
    const NAME: &str = "service.name";
    let attributes = &settings.resource_attributes;
    let is_named = attributes.iter().any(|(name, _)| name == NAME);
    let mut resource = Resource::builder_empty()
        .with_attributes(
            TelemetryResourceDetector
                .detect()
                .iter()
                .map(|(name, value)| KeyValue::new(name.clone(), value.clone())),
        )
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance_id(entropy)));
    let of_settings =
        attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    resource = resource.with_attributes(of_settings);
    if !is_named || settings.service_name != env!("CARGO_PKG_NAME") {
        resource = resource.with_attribute(KeyValue::new(NAME, settings.service_name.clone()));
    }
    resource.build()
}

/// Tells the nodes of one service apart.
fn instance_id(entropy: &Entropy) -> String {
    uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid().to_string()
}

/// A processor that holds so many spans at most.
#[derive(Debug)]
struct Bounded {
    batches: BatchSpanProcessor,
    waiting_max: usize,
    metrics: Arc<TraceMetrics>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // So the queue of the SDK, which is as long, is never full: it would drop spans that still count as waiting.
        if self.metrics.waiting.add_one_within(self.waiting_max) {
            self.batches.on_end(span);
        } else {
            self.metrics.dropped.add_one();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter that counts what becomes of spans, and logs when the collector goes away or comes back.
#[derive(Debug)]
struct Counted {
    exporter: OtlpExporter,
    metrics: Arc<TraceMetrics>,
    is_failing: AtomicBool,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.metrics.waiting.sub(count);
        let outcome = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(outcome.is_err(), Relaxed);
        match &outcome {
            Ok(()) => {
                self.metrics.exported.add(count as u64);
                if was_failing {
                    tracing::info!("the collector accepts spans again");
                }
            }
            Err(error) => {
                self.metrics.failed.add(count as u64);
                if !was_failing {
                    tracing::warn!(
                        error = %error,
                        "the collector does not accept spans: run doorward doctor"
                    );
                }
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> Result<(), OTelSdkError> {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The collector, over the server's own fetcher.
pub(crate) struct Collector {
    fetcher: Arc<Fetcher>,
    url: Url,
    headers: HeaderMap,
    runtime: Handle,
}

impl Collector {
    /// Its requests are tasks of the current runtime.
    pub(crate) fn new(settings: &TracesConfig, url: &Url, internet: &Internet) -> Self {
        let within = Duration::from_millis(settings.timeout_milliseconds);
        let fetcher = Fetcher::new(internet.clone(), Reach::Private, ANSWER_BYTES_MAX, within);
        let pairs = export_headers(settings.headers.reveal()).unwrap_or_default();
        let headers = pairs.into_iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::try_from(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::try_from(name).ok()?, value))
        });
        let headers = headers.collect();
        Self { fetcher: Arc::new(fetcher), url: url.clone(), headers, runtime: Handle::current() }
    }

    /// Posts spans in the form of the protocol.
    pub(crate) fn post(
        &self,
        spans: Bytes,
    ) -> impl Future<Output = Result<http::Response<Bytes>, FetchError>> + Send + 'static {
        let (fetcher, url, headers) =
            (Arc::clone(&self.fetcher), self.url.clone(), self.headers.clone());
        async move { fetcher.post(&url, headers, spans, Arc::new(())).await }
    }
}

impl fmt::Debug for Collector {
    /// Neither the headers nor the URL, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector(..)")
    }
}

impl HttpClient for Collector {
    // The trait is declared by `async_trait`, and this is what it makes of an `async fn`.
    fn send_bytes<'a, 'sent>(
        &'a self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'sent>>
    where
        'a: 'sent,
        Self: 'sent,
    {
        // The thread of the SDK has no runtime.
        let sent = self.runtime.spawn(self.post(request.into_body()));
        Box::pin(async move { Ok(sent.await??) })
    }
}
