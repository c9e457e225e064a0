//! What differs when a person sits before the program: tables, questions and progress.

use std::{fs::File, os::fd::OwnedFd};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::*;

/// Which streams are the terminal's.
#[derive(Clone, Copy)]
struct At {
    input: bool,
    output: bool,
    errors: bool,
}

/// Runs `words` before a terminal on which `typed` is typed, and returns the exit code, what the
/// terminal shows, and what went to standard output when that is elsewhere.
fn run(doorward: &Doorward, at: At, words: &[&str], typed: &str) -> (Option<i32>, String, String) {
    let screen: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let mut screen = File::from(screen);
    let mut command = doorward.command(words);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    // Nobody reads these while the command runs, so they are files and no pipes.
    command.stdout(File::create(doorward.path("out")).unwrap()).stderr(Stdio::null());
    let stream = || Stdio::from(terminal.try_clone().unwrap());
    if at.input {
        command.stdin(stream());
    }
    if at.output {
        command.stdout(stream());
    }
    if at.errors {
        command.stderr(stream());
    }
    screen.write_all(typed.as_bytes()).unwrap();
    let mut child = command.spawn().unwrap();
    drop((command, terminal));
    // The screen ends with an error when nobody holds the terminal any more.
    let mut shown = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = screen.read(&mut part) {
        shown.extend_from_slice(&part[..length]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(shown).unwrap(), doorward.read("out"))
}

#[test]
fn a_terminal_gets_a_table_and_a_pipe_gets_json() {
    let doorward = Doorward::with_clients(&[line(1, &metadata("one"))]);
    let at = At { input: false, output: true, errors: false };

    let (code, shown, _) = run(&doorward, at, &["client", "list"], "");

    assert_eq!(code, Some(0));
    assert!(shown.starts_with("CLIENT ID"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_question_is_answered_by_yes_alone() {
    let doorward = Doorward::with_clients(&[line(1, &metadata("one"))]);
    let at = At { input: true, output: false, errors: true };
    let words = ["client", "delete", &id(1)];
    for no in ["\n", "n\n", "yeah\n", "\u{4}"] {
        let (code, shown, _) = run(&doorward, at, &words, no);

        assert_eq!(code, Some(3), "{no:?}: {shown}");
        assert!(shown.contains("Delete 1 client for good? [y/N] "), "{shown}");
        assert!(shown.contains("Nothing was deleted."), "{shown}");
    }

    let (code, shown, _) = run(&doorward, at, &words, "y\n");

    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(&format!("Deleted {}.", id(1))), "{shown}");
    assert_eq!(doorward.run(&["-q", "client", "list"]).result(), "");
}

#[test]
fn progress_is_drawn_on_a_terminal_alone_and_can_be_silenced() {
    let doorward = Doorward::new();
    let lines: Vec<String> = (0..600).map(|number| line(number, &metadata("many"))).collect();
    doorward.write("many.jsonl", &lines.join("\n"));
    let at = At { input: false, output: false, errors: true };

    let (code, shown, out) = run(&doorward, at, &["client", "import", "many.jsonl"], "");
    assert_eq!((code, &*out), (Some(0), "Imported: 600. There already: 0. Refused: 0.\n"));
    assert!(shown.contains("left"), "{shown:?}");
    let (code, shown, out) = run(&doorward, at, &["client", "export"], "");
    assert_eq!((code, out.lines().count()), (Some(0), 600));
    assert!(shown.contains("/600 clients"), "{shown:?}");
    let (code, shown, out) = run(&doorward, at, &["client", "list"], "");
    assert_eq!((code, out.lines().count()), (Some(0), 600));
    assert!(shown.contains("/600 clients"), "{shown:?}");
    let (_, shown, _) = run(&doorward, at, &["client", "list", "--name", "many"], "");
    assert!(shown.contains(" clients, "), "how many there will be is not known: {shown:?}");
    run(&doorward, at, &["client", "import", "many.jsonl", "--data", "old"], "");
    let copy = ["store", "copy", "--from", "old", "--to", "new"];
    let (code, shown, _) = run(&doorward, at, &copy, "");
    assert_eq!((code, shown.contains("/600 clients")), (Some(0), true), "{shown:?}");

    for command in ["export", "list"] {
        let (_, shown, _) = run(&doorward, at, &["--quiet", "client", command], "");
        assert_eq!(shown, "");
    }
    // What is listed on the terminal itself stands alone.
    let at = At { output: true, ..at };
    let (_, shown, _) = run(&doorward, at, &["client", "list", "--output", "jsonl"], "");
    assert_eq!((shown.lines().count(), shown.contains("clients")), (600, false));
}
