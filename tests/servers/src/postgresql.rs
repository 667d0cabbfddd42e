//! A PostgreSQL server of Debian's package `postgresql`.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::certificate;
use crate::free_port::free_port;
use crate::installation::say_skipped;
use crate::process::Process;

/// Where Debian has the programs, in a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
const SUPERUSER: &str = "postgres";
const SUPERUSER_PASSWORD: &str = "superuser-password";
/// What is in `ledger` of [`RealPostgreSql::start_with_small_disk`] at the beginning is 8 MB.
const SMALL_DISK: &str = "24m";
const SMALL_TABLESPACE: &str = "small";

/// Mounts a small disk that nobody else sees and that is gone with the command which it then runs.
const MOUNT: &str =
    r#"mount -t tmpfs -o "size=$0,uid=$1,gid=$2,mode=700" tmpfs "$3" && shift 3 && exec "$@""#;

/// A running PostgreSQL with a cluster of its own, which writes to the disk as it does in earnest.
/// Dropping it ends it.
#[derive(Debug)]
pub struct RealPostgreSql {
    programs: PathBuf,
    user: User,
    folder: TempDir,
    kind: Kind,
    port: u16,
    /// None while it is killed.
    process: Mutex<Option<Process>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Tls,
    SmallDisk,
}

/// Whom the server runs as: it refuses to be root.
#[derive(Debug, Clone)]
enum User {
    Same,
    Other { uid: u32, gid: u32 },
}

impl RealPostgreSql {
    /// The role that owns the database `ledger`, and every other that
    /// [`Self::create_database`] makes.
    pub const ROLE: &str = "ledger";
    /// The password of [`Self::ROLE`].
    pub const PASSWORD: &str = "ledger-password";

    /// Starts a server with an empty database `ledger` and waits until it answers. None, with a
    /// word on standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        Self::start_kind(Kind::Plain).await
    }

    /// The same, and it speaks nothing but TLS, with a certificate for `localhost` and 127.0.0.1 of
    /// [`Self::certificate_authority`]; it listens at 127.0.0.2 too.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn start_with_tls() -> Option<Self> {
        Self::start_kind(Kind::Tls).await
    }

    /// The same, with the database `ledger` on a disk of its own that [`Self::fill_disk`] fills.
    /// None, too, for tests that are not run as root, which may not mount one.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn start_with_small_disk() -> Option<Self> {
        Self::start_kind(Kind::SmallDisk).await
    }

    async fn start_kind(kind: Kind) -> Option<Self> {
        let Some(programs) = programs() else {
            say_skipped("a real PostgreSQL: Debian's package postgresql is not installed");
            return None;
        };
        let user = user();
        if kind == Kind::SmallDisk && matches!(user, User::Same) {
            say_skipped("a disk of its own, which root only may mount");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self {
            programs,
            user,
            folder,
            kind,
            port: 0,
            process: Mutex::new(None),
        };
        server.make_cluster();
        let mut attempts = 0;
        loop {
            server.port = free_port();
            match server.launch().await {
                Ok(process) => {
                    *server.process.lock().await = Some(process);
                    break;
                }
                // Another process was faster to take the port.
                Err(log) if log.contains("could not bind") && attempts < 5 => attempts += 1,
                Err(log) => panic!("PostgreSQL does not start:\n{log}"),
            }
        }
        let (role, password) = (Self::ROLE, Self::PASSWORD);
        let create_role = format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'");
        server.sql("postgres", &create_role).await;
        let tablespace = match kind {
            Kind::SmallDisk => {
                let disk = server.small_disk();
                let create = format!(
                    "CREATE TABLESPACE {SMALL_TABLESPACE} LOCATION '{}'",
                    disk.display()
                );
                server.sql("postgres", &create).await;
                format!("TABLESPACE {SMALL_TABLESPACE}")
            }
            Kind::Plain | Kind::Tls => String::new(),
        };
        let create = format!("CREATE DATABASE ledger OWNER {role} {tablespace}");
        server.sql("postgres", &create).await;
        Some(server)
    }

    /// The address of a database for [`Self::ROLE`], without its password.
    pub fn url(&self, database: &str) -> String {
        let host = match self.kind {
            Kind::Tls => "localhost",
            Kind::Plain | Kind::SmallDisk => "127.0.0.1",
        };
        format!("postgres://{}@{host}:{}/{database}", Self::ROLE, self.port)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database of [`Self::ROLE`] and tells its name.
    ///
    /// # Panics
    ///
    /// When the server does not.
    pub async fn create_database(&self) -> String {
        let name = format!("ledger_{}", uuid::Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} OWNER {}", Self::ROLE);
        self.sql("postgres", &create).await;
        name
    }

    /// The PEM file of the certificate authority that a server with TLS has its certificate from.
    pub fn certificate_authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Runs a statement as the superuser, and returns what it gave: a line for each row, columns
    /// separated by `|`.
    ///
    /// # Panics
    ///
    /// When the statement fails.
    pub async fn sql(&self, database: &str, statement: &str) -> String {
        self.try_sql(database, statement).await.unwrap()
    }

    async fn try_sql(&self, database: &str, statement: &str) -> Result<String, String> {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .env("PGPASSWORD", SUPERUSER_PASSWORD)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1"])
            .args(["--username", SUPERUSER, "--dbname", database])
            .args(["--command", statement]);
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Fills the small disk up to its end.
    ///
    /// # Panics
    ///
    /// When this server has none.
    pub async fn fill_disk(&self) {
        assert_eq!(self.kind, Kind::SmallDisk, "this server has no small disk");
        self.sql("ledger", "CREATE TABLE filling (text TEXT)").await;
        // Half as much each time, down to a page, so that nothing is left.
        let mut rows = 2_048;
        while rows > 0 {
            let insert = format!(
                "ALTER TABLE filling ALTER COLUMN text SET STORAGE PLAIN; \
                 INSERT INTO filling SELECT repeat('x', 7000) FROM generate_series(1, {rows})"
            );
            if let Err(error) = self.try_sql("ledger", &insert).await {
                assert!(error.contains("No space left on device"), "{error}");
                rows /= 2;
            }
        }
    }

    /// Frees what [`Self::fill_disk`] took.
    ///
    /// # Panics
    ///
    /// When it is not there.
    pub async fn empty_disk(&self) {
        self.sql("ledger", "DROP TABLE filling").await;
    }

    /// Kills every process of the server without warning, as a power cut does. Its data stays, but
    /// for a small disk's. Does nothing when it is killed already.
    pub async fn kill(&self) {
        let mut process = self.process.lock().await;
        if let Some(mut process) = process.take() {
            let mut killed = self.children();
            signal("KILL", &self.postmaster());
            signal("KILL", &killed);
            process.kill();
            killed.extend(self.postmaster());
            while killed.iter().any(|process| is_running(process)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Whoever inherits the killed process may be slow to bury it, and the next one takes it
            // for alive as long.
            std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
        }
    }

    /// Starts a killed server again, on the same port and with the same data, and waits until it
    /// answers. Kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start; the message has its log.
    pub async fn restart(&self) {
        self.kill().await;
        let process = self.launch().await;
        let process =
            process.unwrap_or_else(|log| panic!("PostgreSQL does not start again:\n{log}"));
        *self.process.lock().await = Some(process);
    }

    /// Lets no process of the server go on until [`Self::resume`]: connections stand, and nobody
    /// answers.
    pub async fn pause(&self) {
        let postmaster = self.postmaster();
        signal("STOP", &postmaster);
        signal("STOP", &self.children());
    }

    /// Lets a paused server go on.
    pub async fn resume(&self) {
        signal("CONT", &self.children());
        signal("CONT", &self.postmaster());
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn small_disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The first process, which starts the others.
    fn postmaster(&self) -> Vec<String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        file.lines()
            .next()
            .map(|id| id.trim().to_owned())
            .into_iter()
            .collect()
    }

    /// Those that it has started: each is in a process group of its own.
    fn children(&self) -> Vec<String> {
        let Some(postmaster) = self.postmaster().pop() else {
            return Vec::new();
        };
        let list = Command::new("ps")
            .args(["-o", "pid=", "--ppid", &postmaster])
            .output()
            .unwrap();
        String::from_utf8_lossy(&list.stdout)
            .split_whitespace()
            .map(ToOwned::to_owned)
            .collect()
    }

    fn make_cluster(&self) {
        let folder = self.folder.path();
        // The server's user has to get at its data, whoever made the folder.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let password = folder.join("password");
        std::fs::write(&password, SUPERUSER_PASSWORD).unwrap();
        for path in [self.data(), self.small_disk()] {
            std::fs::create_dir(&path).unwrap();
            self.give(&path);
        }
        let made = self
            .command("initdb")
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
            .arg("--pwfile")
            .arg(&password)
            .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {made:?}");
        let host = match self.kind {
            Kind::Tls => "hostssl",
            Kind::Plain | Kind::SmallDisk => "host",
        };
        let access = format!("{host} all all 127.0.0.0/8 scram-sha-256\n");
        std::fs::write(self.data().join("pg_hba.conf"), access).unwrap();
        if self.kind == Kind::Tls {
            certificate::write(folder);
            let key = folder.join("key.pem");
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
            self.give(&key);
        }
    }

    /// Makes the server's user the owner.
    fn give(&self, path: &Path) {
        if let User::Other { uid, gid } = self.user {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    /// A program of PostgreSQL, run as the server's user.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            User::Same => Command::new(program),
            User::Other { uid, gid } => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }

    /// An error is the log of a server that did not start.
    async fn launch(&self) -> Result<Process, String> {
        let folder = self.folder.path();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        let mut settings = vec![
            "listen_addresses=127.0.0.1,127.0.0.2".to_owned(),
            format!("port={}", self.port),
            "unix_socket_directories=".to_owned(),
            "shared_buffers=32MB".to_owned(),
            // In its folder: a server that is killed takes away nothing that it shares elsewhere.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        if self.kind == Kind::Tls {
            settings.push("ssl=on".to_owned());
            for (name, file) in [
                ("ssl_cert_file", "certificate.pem"),
                ("ssl_key_file", "key.pem"),
            ] {
                settings.push(format!("{name}={}", folder.join(file).display()));
            }
        }
        for setting in settings {
            command.args(["-c", &setting]);
        }
        if let (Kind::SmallDisk, User::Other { uid, gid }) = (self.kind, &self.user) {
            let server = command;
            command = Command::new("unshare");
            command
                .current_dir(folder)
                .args(["--mount", "--propagation", "private", "--"])
                .args(["bash", "-c", MOUNT, SMALL_DISK])
                .args([uid.to_string(), gid.to_string()])
                .arg(self.small_disk())
                .arg(server.get_program())
                .args(server.get_args());
        }
        let mut process = Process::start_guarded(&command, &folder.join("log"));
        process
            .wait_for(|line| {
                line.contains("database system is ready to accept connections")
                    .then_some(())
            })
            .await?;
        Ok(process)
    }
}

impl Drop for RealPostgreSql {
    fn drop(&mut self) {
        let children = self.children();
        if let Some(mut process) = self.process.get_mut().take() {
            process.kill();
            signal("KILL", &children);
        }
    }
}

/// The newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            let is_whole = ["initdb", "postgres", "psql"]
                .iter()
                .all(|program| programs.join(program).exists());
            is_whole.then_some((number, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

fn user() -> User {
    let number = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap()
    };
    if number(&["-u"]) == 0 {
        // The package has made it.
        User::Other {
            uid: number(&["-u", "postgres"]),
            gid: number(&["-g", "postgres"]),
        }
    } else {
        User::Same
    }
}

/// Whether a process is there and not dead yet.
fn is_running(process: &str) -> bool {
    // `id (name) state …`
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status
        .rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// An error says that a process has ended already.
fn signal(name: &str, processes: &[String]) {
    if !processes.is_empty() {
        let _ = Command::new("kill")
            .args(["-s", name, "--"])
            .args(processes)
            .output();
    }
}
