//! Stands between a client and a server that are both real, and does to them what networks, load
//! balancers and servers in trouble do.
//!
//! ```no_run
//! use real_servers::fault_proxy::{Fault, FaultProxy};
//!
//! # async fn example(server: std::net::SocketAddr) {
//! let proxy = FaultProxy::http(server).await;
//! let client = make_client(&format!("http://{}/fhir", proxy.address()));
//! proxy.fail_times(1, Fault::answer(503, "busy"));
//! proxy.fail(Fault::Hang);
//! proxy.refuse().await;
//! proxy.recover().await;
//! # }
//! # fn make_client(_: &str) {}
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::request_head;

/// What goes wrong with a request, or with a connection where the proxy does not know requests.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing comes back, and the connection stays open; the server sees nothing.
    Hang,
    /// The server sees it this much later.
    Late(Duration),
    /// The connection is closed at once; the server sees nothing.
    Close,
    /// The server does what it is asked for, and its answer is lost.
    LoseAnswer,
    /// The server does what it is asked for; its answer breaks off after this many bytes.
    BreakOff(usize),
    /// This is written instead of an answer; the server sees nothing.
    Write(Vec<u8>),
}

impl Fault {
    /// An HTTP answer of this status; the server sees nothing.
    pub fn answer(status: u16, body: &str) -> Self {
        Self::answer_with(status, &[], body)
    }

    /// An HTTP answer of this status with these headers, such as `Retry-After`.
    pub fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} Fault\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        Self::Write(text.into_bytes())
    }

    /// What is no HTTP.
    pub fn rubbish() -> Self {
        Self::Write(b"\x00\x01 this is no HTTP\r\n\r\n".to_vec())
    }
}

#[derive(Debug, Clone, Copy)]
enum Protocol {
    /// Each request has a connection of its own, so that a fault is one request's.
    Http,
    /// Connections are passed through as they are.
    Tcp,
}

#[derive(Debug, Default)]
struct Plan {
    /// The next ones, before `fault`.
    next: Option<(usize, Fault)>,
    fault: Option<Fault>,
}

enum Command {
    Refuse,
    Listen,
    Cut,
}

/// A proxy on a port of its own. Belongs to the test that starts it, and ends with it.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    requests: Arc<AtomicUsize>,
    commands: mpsc::UnboundedSender<(Command, oneshot::Sender<()>)>,
    running: JoinHandle<()>,
}

impl FaultProxy {
    /// In front of an HTTP/1.1 server without TLS.
    pub async fn http(server: SocketAddr) -> Self {
        Self::start(server, Protocol::Http)
    }

    /// In front of any other server; faults are connections', not requests'.
    pub async fn tcp(server: SocketAddr) -> Self {
        Self::start(server, Protocol::Tcp)
    }

    fn start(server: SocketAddr, protocol: Protocol) -> Self {
        // Keeps the port while it refuses connections.
        let reserved = bind("127.0.0.1:0".parse().unwrap());
        let address = reserved.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let requests = Arc::new(AtomicUsize::new(0));
        let (commands, received) = mpsc::unbounded_channel();
        let running = Running {
            _reserved: reserved,
            address,
            server,
            protocol,
            plan: Arc::clone(&plan),
            requests: Arc::clone(&requests),
        };
        Self {
            address,
            plan,
            requests,
            commands,
            running: tokio::spawn(running.run(listen(address), received)),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests (or connections) so far, also those that something was done to.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// This goes wrong with every request from now on, until [`Self::recover`].
    pub fn fail(&self, fault: Fault) {
        self.plan.lock().unwrap().fault = Some(fault);
    }

    /// This goes wrong with the next `times` requests.
    pub fn fail_times(&self, times: usize, fault: Fault) {
        self.plan.lock().unwrap().next = Some((times, fault));
    }

    /// Refuses connections, as a server does that is not running, and breaks those that are open.
    pub async fn refuse(&self) {
        self.command(Command::Refuse).await;
    }

    /// Breaks the connections that are open.
    pub async fn cut(&self) {
        self.command(Command::Cut).await;
    }

    /// Passes everything on again.
    pub async fn recover(&self) {
        *self.plan.lock().unwrap() = Plan::default();
        self.command(Command::Listen).await;
    }

    async fn command(&self, command: Command) {
        let (done, is_done) = oneshot::channel();
        self.commands.send((command, done)).unwrap();
        is_done.await.unwrap();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

struct Running {
    _reserved: TcpSocket,
    address: SocketAddr,
    server: SocketAddr,
    protocol: Protocol,
    plan: Arc<Mutex<Plan>>,
    requests: Arc<AtomicUsize>,
}

impl Running {
    async fn run(
        self,
        listener: TcpListener,
        mut commands: mpsc::UnboundedReceiver<(Command, oneshot::Sender<()>)>,
    ) {
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((command, done)) = commands.recv() => {
                    match command {
                        Command::Refuse => {
                            listener = None;
                            connections.shutdown().await;
                        }
                        Command::Listen => {
                            let address = self.address;
                            listener.get_or_insert_with(|| listen(address));
                        }
                        Command::Cut => connections.shutdown().await,
                    }
                    let _ = done.send(());
                }
                Ok((client, _)) = accepted => {
                    let plan = Arc::clone(&self.plan);
                    let requests = Arc::clone(&self.requests);
                    connections.spawn(serve(client, self.server, self.protocol, plan, requests));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    bind(address).listen(1024).unwrap()
}

/// One request, or one connection. An error is the other side's, which has seen it too.
async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    protocol: Protocol,
    plan: Arc<Mutex<Plan>>,
    requests: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let beginning = match protocol {
        Protocol::Http => match request_head::read(&mut client).await? {
            Some(head) => head,
            // A connection that was not used.
            None => return Ok(()),
        },
        Protocol::Tcp => Vec::new(),
    };
    requests.fetch_add(1, Ordering::SeqCst);
    let fault = next_fault(&plan);
    match &fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Late(time)) => tokio::time::sleep(*time).await,
        Some(Fault::Close) => return Ok(()),
        Some(Fault::Write(bytes)) => {
            client.write_all(bytes).await?;
            client.shutdown().await?;
            // Closing before the request was read would reset the connection, and the client might
            // not read the answer.
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
            return Ok(());
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(&beginning).await?;
    match fault {
        Some(Fault::LoseAnswer) => answer_up_to(0, &mut client, &mut upstream).await,
        Some(Fault::BreakOff(bytes)) => answer_up_to(bytes, &mut client, &mut upstream).await,
        _ => copy_bidirectional(&mut client, &mut upstream)
            .await
            .map(drop),
    }
}

fn next_fault(plan: &Mutex<Plan>) -> Option<Fault> {
    let mut plan = plan.lock().unwrap();
    match &mut plan.next {
        Some((times @ 1.., fault)) => {
            *times -= 1;
            Some(fault.clone())
        }
        _ => plan.fault.clone(),
    }
}

/// Passes the request on, and this much of the answer once it has arrived.
async fn answer_up_to(
    bytes: usize,
    client: &mut TcpStream,
    upstream: &mut TcpStream,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = upstream.split();
    let mut answer = Vec::new();
    let complete = async {
        let mut buffer = vec![0; 64 * 1024];
        // As much as is passed on, and at least something: then the server has done its work.
        while answer.len() < bytes.max(1) {
            match from_server.read(&mut buffer).await? {
                0 => break,
                read => answer.extend_from_slice(&buffer[..read]),
            }
        }
        std::io::Result::Ok(())
    };
    let request = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        // The client has closed its side; the answer may still come.
        std::future::pending::<std::io::Result<()>>().await
    };
    tokio::select! {
        result = complete => result?,
        result = request => result?,
    }
    to_client
        .write_all(&answer[..bytes.min(answer.len())])
        .await
}
