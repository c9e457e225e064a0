//! The examples of `docs/protect/verify.md`, with the libraries that they name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use doorward::store::{self, Access};

use super::{asking, bearer, config, proxies, token};
use crate::{granted::TOOLS, harness::TestServer, left_out::left_out};

/// Prints "ok" or "no" for each argument.
const PYTHON: &str = "\nimport sys\nfor text in sys.argv[1:]:\n    try:\n        \
    verify(text)\n        print('ok')\n    except jwt.PyJWTError:\n        print('no')\n";
const TYPESCRIPT: &str = "\nfor (const text of process.argv.slice(2)) {\n  \
    console.log(await verify(text).then(() => \"ok\", () => \"no\"));\n}\n";
const GO: &str = "\nfunc main() {\n\tfor _, text := range os.Args[1:] {\n\t\t\
    if _, err := verify(context.Background(), text); err != nil {\n\t\t\tfmt.Println(\"no\")\n\t\t} \
    else {\n\t\t\tfmt.Println(\"ok\")\n\t\t}\n\t}\n}\n";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The example in a language, for this server.
fn example(language: &str, server: &TestServer, issuer: &str) -> String {
    proxies::documented("verify.md", language, server.public, server.public)
        .replace(
            "https://auth.example.com/oauth2/jwks",
            &format!("http://{}/oauth2/jwks", server.public),
        )
        .replace("https://auth.example.com", issuer)
        .replace("https://tools.example/mcp", TOOLS)
}

/// What runs the example in a folder of its own; `None` where its library is not installed.
fn program(language: &str, text: &str, folder: &Path) -> Option<Command> {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    match language {
        "python" => {
            let python = proxies::installed(&["tests/clients/.cache/python/bin/python"])?;
            write("verify.py", &format!("{text}{PYTHON}"));
            let mut command = Command::new(python);
            command.arg(folder.join("verify.py"));
            Some(command)
        }
        "typescript" => {
            let modules = repository("tests/journey/node_modules");
            modules.join("jose").exists().then_some(())?;
            std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
            let text = text.replace("(assertion: string)", "(assertion)");
            write("verify.mjs", &format!("{text}{TYPESCRIPT}"));
            let mut command = Command::new("node");
            command.arg(folder.join("verify.mjs"));
            Some(command)
        }
        _ => {
            let go = proxies::installed(&["/usr/local/go/bin/go", "/usr/bin/go"])?;
            for file in ["go.mod", "go.sum"] {
                fs::copy(repository("tests/journey/go").join(file), folder.join(file)).unwrap();
            }
            let text = text.replace("\"errors\"\n", "\"errors\"\n\t\"fmt\"\n\t\"os\"\n");
            write("main.go", &format!("{text}{GO}"));
            let mut command = Command::new(go);
            command.args(["run", "."]).current_dir(folder);
            command.env("GOFLAGS", "-mod=mod");
            Some(command)
        }
    }
}

/// Runs the example, while the server answers.
async fn output_of(mut command: Command, texts: &[&str]) -> Output {
    command.args(texts);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_documented_snippets_accept_an_assertion_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    let mut of_store = crate::granted::config_on(folder.path().join("data").to_str().unwrap());
    config.token.keys_secret = std::mem::take(&mut of_store.token.keys_secret);
    config.store = of_store.store;
    let issuer = config.server.issuer.clone();
    let store = store::open(&config, Access::Serve).await.unwrap();
    // The libraries go by the clock of the machine.
    let server = TestServer::kept_by(store, config).await;
    let (token, _) = token(&server).await;
    let allowed = server.exchange(&asking("nginx", "GET", "/mcp", &bearer(&token))).await;
    let assertion = allowed.header("doorward-assertion").unwrap().to_owned();
    let (head, signature) = assertion.rsplit_once('.').unwrap();
    let changed = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{changed}{}", signature.split_at(1).1);
    let texts = [&*assertion, &*forged, &*token, "x.y.z"];
    for language in ["python", "typescript", "go"] {
        let text = example(language, &server, &issuer);
        let folder = tempfile::tempdir().unwrap();
        let Some(command) = program(language, &text, folder.path()) else {
            left_out(&format!(
                "the documented check of an assertion in {language} (its library is not installed)"
            ));
            continue;
        };
        let output = output_of(command, &texts).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        let lines = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            lines.split_whitespace().collect::<Vec<_>>(),
            ["ok", "no", "no", "no"],
            "{language}: {errors}"
        );
        let other = tempfile::tempdir().unwrap();
        let text = text.replace(TOOLS, "https://other.example/mcp");
        let command = program(language, &text, other.path()).unwrap();
        let output = output_of(command, &texts).await;
        let lines = String::from_utf8_lossy(&output.stdout);
        assert_eq!(lines.split_whitespace().next(), Some("no"), "{language}: another audience");
    }
    server.stop().await;
}
