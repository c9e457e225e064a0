//! The program itself: what it writes to standard output and standard error, and its exit code.

mod attempts;
mod audit;
mod clients;
mod copy;
mod descriptors;
mod doctor;
mod families;
mod files;
mod grants;
mod guard;
mod keys;
mod lists;
mod log;
mod metadata;
mod migrate;
mod operators;
mod people;
mod proxy;
mod registration_tokens;
mod remote;
mod rules;
mod secret_files;
mod serve;
mod standing;
mod store;
mod terminal;
mod upgrade_check;

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{left_out::left_out, postgres};

/// The program in a working directory of its own.
struct Doorward {
    folder: TempDir,
    /// Where clients are kept, unless in a folder below.
    database: Option<String>,
}

/// What a finished run left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Doorward {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), database: postgres::new_database() }
    }

    /// With these lines imported into its store.
    fn with_clients(lines: &[String]) -> Self {
        let doorward = Self::new();
        let ran = doorward.run_with(&["client", "import", "-"], &lines.join("\n"));
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
        doorward
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(words).current_dir(self.folder.path()).env_clear();
        command.envs(self.database.as_ref().map(|url| ("DOORWARD_STORE", url)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).spawn().unwrap())
    }

    fn run_with(&self, words: &[&str], input: &str) -> Ran {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        let stdin: ChildStdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A command that stops early does not read it all.
            scope.spawn(move || { &stdin }.write_all(input.as_bytes()).ok());
            Ran::of(child)
        })
    }
}

impl Ran {
    fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output, of a run that went well and said nothing else.
    #[track_caller]
    fn result(self) -> String {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        self.out
    }

    /// Standard output as JSON, a value a line.
    fn lines(self) -> Vec<Value> {
        self.result().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a run that failed says: nothing on standard output, one line on standard error.
    #[track_caller]
    fn complaint(self, code: i32) -> String {
        assert_eq!((self.code, &*self.out), (Some(code), ""), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.err
    }
}

/// The `number`th client of a test, one second after the one before.
fn line(number: u32, metadata: &str) -> String {
    format!(
        r#"{{"client_id":"{}","client_id_issued_at":{}.125,"profile":"rfc7591","source":"192.0.2.1","flags":[],"metadata":{metadata}}}"#,
        id(number),
        1_700_000_000 + number,
    )
}

fn id(number: u32) -> String {
    format!("019aa7b4-5a1c-7bd1-b0ff-{number:012x}")
}

/// Metadata as a registration stores it.
fn metadata(name: &str) -> String {
    format!(
        r#"{{"client_name":"{name}","grant_types":["authorization_code","refresh_token"],"redirect_uris":["https://{name}.example/cb"],"response_types":["code"],"token_endpoint_auth_method":"none"}}"#
    )
}

#[test]
fn a_command_line_that_cannot_be_meant_is_a_usage_error() {
    let doorward = Doorward::new();
    let wrong: &[&[&str]] = &[
        &[],
        &["sevre"],
        &["serve", "--listen", "here"],
        &["client", "list", "--profile", "other"],
        &["client", "list", "--since", "yesterday"],
        &["client", "list", "--limit", "0"],
        &["client", "get", "no-id"],
        &["client", "delete"],
        &["client", "suspend"],
        &["client", "suspend", "no-id", "--yes"],
        &["client", "list", "--standing", "other"],
        &["metadata", "check"],
    ];
    for words in wrong {
        let ran = doorward.run(words);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{words:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{words:?}");
    }
}

#[test]
fn no_usage_error_repeats_a_secret_in_the_wrong_place() {
    let secret = "hunter2hunter2/hunter2+hunter2==";
    let doorward = Doorward::new();
    let url = format!("postgres://door:{secret}@h/d");
    let option = format!("--keys-secret={secret}");
    let dashed = format!("--{secret}");
    let short = format!("-p{secret}");
    let wrong: &[&[&str]] = &[
        &[secret],
        &["serve", secret],
        &["serve", "--dev", "--", secret],
        &["serve", &option],
        &["serve", "--token.keys-secret", secret],
        &["serve", "--postgres.password", secret],
        &["serve", &dashed],
        &["serve", &short],
        &["serve", "--listen", secret],
        &["serve", &format!("--listen={secret}")],
        &["serve", "--listen", &url],
        &["serve", &url],
        &["serve", "--dev", &format!("--dev={secret}")],
        &["store", secret],
        &["store", &url],
        &["client", "get", secret],
        &["client", "approve", secret],
        &["client", "list", "--since", secret],
        &["client", "list", "--limit", secret],
        &["client", "list", "--output", secret],
        &["client", "list", "--profile", secret],
        &["key", "list", secret],
        &["config", "dump", secret],
        &["completions", secret],
    ];
    for words in wrong {
        let ran = doorward.run(words);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{words:?}: {ran:?}");
        assert!(!ran.err.contains("hunter2") && !ran.err.is_empty(), "{words:?}: {}", ran.err);
    }
    let typo = doorward.run(&["serve", "--listn", "127.0.0.1:1"]).err;
    assert!(typo.contains("--listn") && typo.contains("--listen"), "{typo}");
    let typo = doorward.run(&["sevre"]).err;
    assert!(typo.contains("sevre") && typo.contains("serve"), "{typo}");
}

#[test]
fn help_states_the_exit_codes_and_is_a_result() {
    let help = Doorward::new().run(&["--help"]).result();

    assert!(help.contains("Exit codes:\n  0  done\n  1  it failed"), "{help}");
    assert!(!help.contains('\u{1b}'), "no colours beside a terminal");
}

#[test]
fn the_version_is_told_to_people_and_to_programs() {
    let doorward = Doorward::new();
    let words = doorward.run(&["version"]).result();
    let lines = doorward.run(&["version", "--output", "json"]).lines();

    let version = env!("CARGO_PKG_VERSION");
    assert!(words.starts_with(&format!("doorward {version}\nSQLite 3.")), "{words}");
    assert_eq!(lines[0]["version"], version);
    assert!(words.contains(lines[0]["target"].as_str().unwrap()), "{words}");
    assert_eq!(doorward.run(&["--version"]).result(), format!("doorward {version}\n"));
}

#[test]
fn completions_exist_for_every_shell() {
    let doorward = Doorward::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = doorward.run(&["completions", shell]).result();
        assert!(script.contains("management"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let doorward = Doorward::new();
    let page = doorward.run(&["man"]).result();
    assert!(page.contains(".SH EXIT CODES\n.nf\n  0  done"), "{page}");

    doorward.run(&["--quiet", "man", "--directory", "man"]).result();

    let page = doorward.read("man/doorward-client-import.1");
    assert!(page.contains(".SH EXAMPLES") && page.contains(".SH EXIT CODES"), "{page}");
    assert!(page.contains("\\fBdoorward client import\\fR"), "{page}");
    assert_eq!(fs::read_dir(doorward.path("man")).unwrap().count(), 82);
}

#[test]
fn the_openapi_document_is_that_of_a_server_with_these_settings() {
    let printed = Doorward::new().run(&["openapi", "--dev"]).result();

    let sources = doorward::config::Sources { dev: true, ..doorward::config::Sources::default() };
    assert_eq!(printed, doorward::server::description(&doorward::config::load(sources).unwrap()));
}

#[test]
fn a_new_configuration_is_a_good_one_once_the_issuer_is_set() {
    let doorward = Doorward::new();
    let ran = doorward.run(&["config", "init", "doorward.toml"]);
    assert_eq!((ran.code, &*ran.err), (Some(0), "Wrote doorward.toml.\n"), "{ran:?}");
    assert_eq!(doorward.run(&["config", "init"]).result(), doorward.read("doorward.toml"));
    let again = doorward.run(&["config", "init", "doorward.toml"]).complaint(1);
    assert!(again.contains("cannot create doorward.toml: File exists"), "{again}");

    let issuer =
        "[server]\nissuer = \"https://register.example.com\"\ntls_terminated_in_front = true\n";
    doorward.write("issuer.toml", issuer);
    let words = ["config", "check", "-c", "doorward.toml", "-c", "issuer.toml"];
    assert_eq!(doorward.run(&words).err, "The configuration is good.\n");
    let words = ["config", "dump", "-c", "issuer.toml", "--data", "elsewhere"];
    let dump = doorward.run(&words).result();
    assert!(dump.contains("issuer = \"https://register.example.com\""), "{dump}");
    assert!(dump.contains("store = \"elsewhere\""), "flags are in force: {dump}");
}

#[test]
fn every_fault_of_a_configuration_is_told_and_the_answer_is_no() {
    let doorward = Doorward::new();
    doorward.write("doorward.toml", "[sever]\nlisten = 1\n[rate_limit]\ntotal = -1\n");

    let ran = doorward.run(&["config", "check", "--dev", "--config", "doorward.toml"]);

    assert_eq!((ran.code, &*ran.out), (Some(3), ""), "{ran:?}");
    let faults: Vec<&str> = ran.err.lines().collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("did you mean server?"), "{faults:?}");
    let ran = doorward.run(&["serve", "--config", "doorward.toml"]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{ran:?}");
    assert!(
        ran.err.starts_with("error: the settings are refused:\n  doorward.toml:1:2: "),
        "{ran:?}"
    );
}

/// Everything a child writes until it ends.
fn drain(mut from: impl std::io::Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn is_in_path(program: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists())
}
