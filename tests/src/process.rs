//! A program that runs for a test, and never longer.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// How many lines of a program's log a failed test shows.
const SHOWN_LINES: usize = 120;

/// A user and group id.
#[derive(Debug, Clone, Copy)]
pub struct RunAs {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Launch {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    run_as: Option<RunAs>,
    hosts: Option<PathBuf>,
}

impl Launch {
    /// The program, with a name for log files and messages.
    pub fn new(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            run_as: None,
            hosts: None,
        }
    }

    /// One more argument.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_string_lossy().into_owned());
        self
    }

    /// Several more arguments.
    pub fn arguments<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::argument)
    }

    /// One more variable. The program sees nothing of the test's own environment but `PATH`.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// As this user. Only root can do that.
    pub fn run_as(mut self, run_as: Option<RunAs>) -> Self {
        self.run_as = run_as;
        self
    }

    /// With this file as its `/etc/hosts`. Only root can do that, or somebody who may have a namespace of their own.
    pub fn hosts(mut self, hosts: &Path) -> Self {
        self.hosts = Some(hosts.to_owned());
        self
    }

    /// Starts it; what it prints goes to `<folder>/<name>.log`, behind what is there.
    ///
    /// It dies with the calling thread, so call this on the test's own thread.
    pub fn start(&self, folder: &Path) -> Process {
        let log = folder.join(format!("{}.log", self.name));
        let output = File::options().create(true).append(true).open(&log).expect("a log file in the temporary folder");
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be written from two sides"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        Process { name: self.name.clone(), child, log }
    }

    /// Runs it to its end, and returns what it printed. For programs that are quick.
    pub fn run(&self) -> Finished {
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.program.display()));
        Finished {
            name: self.name.clone(),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// As [`Command`], for those who need the pipes.
    pub fn command(&self) -> Command {
        // Without setpriv, a test that is killed leaves its servers behind.
        let mut command = Command::new("setpriv");
        if let Some(RunAs { user, group }) = self.run_as {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        }
        command.arg("--pdeathsig=KILL").arg("--");
        if let Some(hosts) = &self.hosts {
            command.arg("unshare").arg("--mount");
            if !rustix::process::geteuid().is_root() {
                command.arg("--map-root-user");
            }
            let mount = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
            command.args(["--", "sh", "-c", mount]).arg(hosts);
        }
        command.arg(&self.program).args(&self.arguments).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }
}

/// A program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Finished {
    /// Its standard output.
    ///
    /// # Panics
    /// If it failed.
    pub fn succeeded(self) -> String {
        let Self { name, status, stdout, stderr } = self;
        assert!(status.success(), "{name} failed ({status}):\n{stdout}{stderr}");
        stdout
    }
}

/// A running program. Dropping it kills it; if a test is failing, its log is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it (and an earlier process of the same name and folder) printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for its status")
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end at once (SIGQUIT).
    pub fn quit(&self) {
        self.signal(Signal::QUIT);
    }

    /// Asks it to end in the way of Ctrl-C (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Lets it and its children stand still (SIGSTOP), as on a machine that hangs, until they are
    /// [resumed](Self::resume).
    pub fn pause(&self) {
        // First, so that it makes no more children.
        self.signal(Signal::STOP);
        signal_all(&self.children(), Signal::STOP);
    }

    /// Lets it go on after a [pause](Self::pause).
    pub fn resume(&self) {
        signal_all(&self.children(), Signal::CONT);
        self.signal(Signal::CONT);
    }

    /// The processes that it has started and that have not ended.
    pub fn children(&self) -> Vec<Pid> {
        let id = self.child.id();
        let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    /// `kill -9`; returns when it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Waits until it has ended.
    pub async fn ends(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(&what, async || self.exit_status()).await
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }
}

/// Those that have ended meanwhile need no signal.
fn signal_all(processes: &[Pid], signal: Signal) {
    for &process in processes {
        kill_process(process, signal).ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may fail when it has ended by itself, which is just as well.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = self.log();
            let n_hidden = log.lines().count().saturating_sub(SHOWN_LINES);
            println!("--- the last lines of {}:", self.name);
            log.lines().skip(n_hidden).for_each(|line| println!("{line}"));
        }
    }
}
