//! Who may read and write what the program creates.

use std::os::unix::fs::PermissionsExt as _;

use super::{
    serve::{Server, sh},
    *,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs the program with a umask that takes no permission away.
fn run_openly(doorward: &Doorward, words: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_doorward");
    let folder = doorward.folder.path().display();
    sh(&format!("umask 0; cd {folder} && exec env -i {program} {words}"))
}

#[test]
fn every_file_is_its_owners_alone_whatever_folder_and_umask_say() {
    let mut doorward = Doorward::with_clients(&[]);
    // Files are what is looked at, so the clients are in a folder.
    doorward.database = None;
    fs::create_dir_all(doorward.path("doorward-data")).unwrap();
    let folder = fs::Permissions::from_mode(0o755);
    fs::set_permissions(doorward.path("doorward-data"), folder).unwrap();
    doorward.write("client.jsonl", &(line(1, &metadata("one")) + "\n"));
    for words in [
        "client import client.jsonl",
        "config init doorward.toml",
        "client export export.jsonl",
        "store backup backup.sqlite3",
    ] {
        assert_eq!(run_openly(&doorward, words).code, Some(0), "{words}");
    }
    let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let server =
        Server::start(&doorward, &[&["serve", "--dev"], &listen[..]].concat(), "/register'");
    for name in ["doorward.toml", "export.jsonl", "backup.sqlite3"] {
        assert_eq!(mode(&doorward.path(name)), 0o600, "{name}");
    }
    let mut seen = Vec::new();
    for file in fs::read_dir(doorward.path("doorward-data")).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in ["doorward.sqlite3", "doorward.sqlite3-wal", "doorward.sqlite3-shm", "keys.secret"]
    {
        assert!(seen.iter().any(|it| it == name), "{name}: {seen:?}");
    }
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_server_refuses_a_data_folder_that_others_can_write_to() {
    let mut doorward = Doorward::new();
    doorward.database = None;
    let folder = doorward.path("doorward-data");
    fs::create_dir(&folder).unwrap();
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
        let complaint = doorward.run(&words).complaint(1);
        assert!(complaint.contains("others can write to the data folder"), "{complaint}");
        assert!(complaint.contains("chmod go-w"), "{complaint}");
    }
}

#[test]
fn the_sample_works_once_its_blanks_are_filled() {
    let mut doorward = Doorward::new();
    doorward.database = None;
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doorward.toml");
    let secret = doorward.path("company.secret").display().to_string();
    let filled = fs::read_to_string(sample)
        .unwrap()
        .replace("/var/lib/doorward", "doorward-data")
        .replace("https://auth.example.com", "https://door.example")
        .replace("https://login.example.com", "https://login.door.example")
        .replace("/etc/doorward/company.secret", &secret)
        .replace("https://mcp.example.com/mcp", "https://mcp.door.example/mcp");
    doorward.write("doorward.toml", &filled);
    doorward.write("company.secret", "what the provider issued\n");
    let words = ["serve", "--config", "doorward.toml", "--listen", "127.0.0.1:0"];
    let words = [&words[..], &["--management", "127.0.0.1:0"]].concat();
    let server = Server::start(&doorward, &words, "metrics");
    let address = server.announced[0].split_whitespace().nth(3).unwrap().to_owned();
    let url = format!("{address}/.well-known/oauth-authorization-server");
    let metadata = sh(&format!("curl -sS {url}")).result();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["token_endpoint"], "https://door.example/oauth2/token");
    assert_eq!(metadata["protected_resources"][0], "https://mcp.door.example/mcp");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_server_without_a_way_to_sign_in_says_so() {
    let mut doorward = Doorward::new();
    doorward.database = None;
    doorward.write("doorward.toml", "[server]\nissuer = \"http://127.0.0.1:8080\"\n");
    let looked = doorward.run(&["doctor", "--config", "doorward.toml", "--output", "jsonl"]);
    let findings: Vec<Value> =
        looked.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = findings.iter().find(|finding| finding["check"] == "sign-in").unwrap();
    assert_eq!(found["verdict"], "warning");
    assert!(found["advice"].as_str().unwrap().contains("sign_in.providers"), "{found}");
    let words = ["serve", "--config", "doorward.toml", "--listen", "127.0.0.1:0"];
    let words = [&words[..], &["--management", "127.0.0.1:0"]].concat();
    let server = Server::start(&doorward, &words, "metrics");
    assert_eq!(server.stop().code, Some(0));
    let log = doorward.read("log");
    assert!(log.contains("there is no way to sign in"), "{log}");
}
