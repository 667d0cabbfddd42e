use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use real_servers::openhim_core::RealOpenHimCore;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

/// Nothing listens here: a mediator serves also when core is down.
pub(crate) const NO_CORE: &str = "http://127.0.0.1:9";

pub(crate) const TRANSACTION: &str = "6564a3c0a4f3f9001c0c9a12";

const PATIENCE: Duration = Duration::from_secs(30);

/// An example as its users start it: the program in a folder with a `mediatorConfig.json`.
pub(crate) struct Example {
    process: Child,
    url: String,
    _folder: TempDir,
}

/// Core, as an example is told about it.
pub(crate) struct Core<'a> {
    pub(crate) url: &'a str,
    pub(crate) authority: Option<&'a Path>,
}

impl Core<'static> {
    pub(crate) fn none() -> Self {
        Self {
            url: NO_CORE,
            authority: None,
        }
    }
}

impl Example {
    /// Starts it at a free port, with its `mediatorConfig.json` changed so.
    pub(crate) async fn start(
        program: &str,
        core: Core<'_>,
        environment: &[(&str, &str)],
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let name = Path::new(program).file_stem().unwrap().to_str().unwrap();
        let port = free_port();
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(name)
            .join("mediatorConfig.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        config["endpoints"][0]["port"] = json!(port);
        config["defaultChannelConfig"][0]["routes"][0]["port"] = json!(port);
        change(&mut config);
        let folder = TempDir::new().unwrap();
        std::fs::write(
            folder.path().join("mediatorConfig.json"),
            config.to_string(),
        )
        .unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(folder.path())
            .env("OPENHIM_API_URL", core.url)
            .env("OPENHIM_USERNAME", "root@openhim.org")
            .env("OPENHIM_PASSWORD", "openhim-password")
            .env_remove("OPENHIM_TRUST_SELF_SIGNED")
            .envs(environment.iter().copied())
            .stdout(Stdio::null());
        if let Some(authority) = core.authority {
            command.env("OPENHIM_CA_FILE", authority);
        }
        let mut example = Self {
            process: command.spawn().unwrap(),
            url: format!("http://127.0.0.1:{port}"),
            _folder: folder,
        };
        example.wait_until_it_serves().await;
        example
    }

    async fn wait_until_it_serves(&mut self) {
        let url = self.url("/health/live");
        until("the example's health", async || {
            if let Some(ended) = self.process.try_wait().unwrap() {
                panic!("the example ended: {ended}");
            }
            let answer = reqwest::get(&url).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Asks as OpenHIM does.
    pub(crate) async fn envelope(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request
            .header("X-OpenHIM-TransactionID", TRANSACTION)
            .header("X-OpenHIM-ClientID", "hospital")
            .send()
            .await
            .unwrap();
        let media_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            media_type.contains("application/json+openhim"),
            "{media_type}"
        );
        answer.json().await.unwrap()
    }

    /// Ends it as Kubernetes does.
    pub(crate) fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = timeout(PATIENCE, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    asked
        .await
        .unwrap_or_else(|_| panic!("{what} did not come"))
}

/// A system that answers everything so; its address.
pub(crate) async fn system(status: StatusCode, body: Value) -> String {
    serve(move |_| (status, axum::Json(body.clone())).into_response()).await
}

/// What was asked of a stand-in for core: method and path, and the body if it was JSON.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes everything that a mediator tells core, and remembers it; its address. It knows one
/// transaction, which has been answered with 202.
pub(crate) async fn stand_in_for_core() -> (String, Asked) {
    let asked = Asked::default();
    let remembered = Arc::clone(&asked);
    let routes = Router::new().fallback(move |request: Request| {
        let asked = Arc::clone(&asked);
        async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            let body = serde_json::from_slice(&body.unwrap()).unwrap_or_default();
            let mut asked = asked.lock().unwrap();
            asked.push((what.clone(), body));
            axum::Json(match what.as_str() {
                "GET /channels" => json!([]),
                _ if what == format!("GET /transactions/{TRANSACTION}") => {
                    let mut updates = asked.iter().rev();
                    let update = updates.find(|(what, _)| what.starts_with("PUT /transactions/"));
                    match update {
                        Some((_, update)) => update.clone(),
                        None => json!({ "status": "Pending Async", "response": { "status": 202 } }),
                    }
                }
                _ => json!({}),
            })
        }
    });
    (listen(routes).await, remembered)
}

async fn serve(answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> String {
    listen(Router::new().fallback(move |request: Request| {
        let answer = answer(request);
        async move { answer }
    }))
    .await
}

async fn listen(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();

/// A real core, if it is installed.
pub(crate) async fn real_core() -> Option<&'static RealOpenHimCore> {
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

/// Starts an example that tells a real core about itself, and waits until core shows it green.
pub(crate) async fn start_with(
    core: &RealOpenHimCore,
    program: &str,
    environment: &[(&str, &str)],
    change: impl FnOnce(&mut Value),
) -> Example {
    let mut urn = String::new();
    let authority = core.certificate_authority();
    let told = Core {
        url: &core.api_url(),
        authority: Some(&authority),
    };
    let example = Example::start(program, told, environment, |config| {
        urn = config["urn"].as_str().unwrap().to_owned();
        change(config);
    })
    .await;
    until("the heartbeat", async || {
        let mediator = core.api("GET", &format!("/mediators/{urn}"), None).await;
        // What the console makes green: a heartbeat within the last minute.
        mediator.body["_lastHeartbeat"].is_string().then_some(())
    })
    .await;
    example
}

/// The last transaction of a channel, when it is as wanted.
pub(crate) async fn transaction(
    core: &RealOpenHimCore,
    channel: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let channels = core.api("GET", "/channels", None).await.body;
    let channels = channels.as_array().unwrap();
    let mut named = channels.iter().filter(|known| known["name"] == channel);
    let filters = json!({ "channelID": named.next().unwrap()["_id"] }).to_string();
    let query = [
        ("filterRepresentation", "full"),
        ("filterLimit", "1"),
        ("filterPage", "0"),
        ("filters", &filters),
    ];
    let url = reqwest::Url::parse_with_params("http://core/transactions", query).unwrap();
    let path = format!("{}?{}", url.path(), url.query().unwrap());
    until(&format!("the transaction of {channel}"), async || {
        let mut found = core.api("GET", &path, None).await.body;
        let transaction = found.get_mut(0)?.take();
        wanted(&transaction).then_some(transaction)
    })
    .await
}

/// See [`transaction`].
pub(crate) fn is(status: &str) -> impl Fn(&Value) -> bool {
    move |transaction| transaction["status"] == status
}
