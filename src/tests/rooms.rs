//! The test that holds the arrows between the rooms. The table in `lib.rs` says them in words.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may import. The compiler lets any module of the crate name any other.
const ARROWS: [(&str, &[&str]); 7] = [
    ("codec", &[]),
    ("records", &["codec"]),
    ("tls", &[]),
    ("shared", &["codec", "records", "tls"]),
    ("io", &["codec", "records", "tls", "shared"]),
    ("javascript", &["codec", "records", "tls", "shared", "io"]),
    // Helpers that tests of several rooms share.
    (
        TESTS,
        &["codec", "records", "tls", "shared", "io", "javascript"],
    ),
];

/// The room of shared helpers. It is compiled for tests only, so the tests of every room may import it.
const TESTS: &str = "tests";

/// Lists the Rust files under a folder.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Gives the identifier that a text begins with.
fn identifier(text: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.find(|c| !is_part(c)).map_or(text, |end| &text[..end])
}

/// Gives the complaint about a line of code in a file of `room`, if the line names a forbidden room. `is_head`
/// says that the file is the room's own `mod.rs`, where `super` is the crate.
fn complaint(room: &str, is_head: bool, line: &str) -> Option<String> {
    let code = line.split("//").next().unwrap_or_default();
    if code.contains("super::super::") {
        return Some("`super::super::` may leave the room: begin with `crate::`".into());
    }
    if is_head && code.contains("super::") {
        return Some("`super::` leaves the room here: begin with `crate::`".into());
    }
    let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == room)?;
    code.split("crate::")
        .skip(1)
        .find_map(|path| match identifier(path) {
            "" => Some(
                "one room a line: `use crate::room::...`, so that its arrow can be seen".into(),
            ),
            other if other == room || other == TESTS || allowed.contains(&other) => None,
            other => Some(format!(
                "forbidden arrow: {room} -> {other}; {room} may import {allowed:?}"
            )),
        })
}

#[test]
fn each_room_imports_only_what_it_may() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    let mut seen = 0;
    for path in files_under(&source) {
        let file = path.strip_prefix(&source).unwrap();
        let Some(room) = file.parent().and_then(|folder| folder.iter().next()) else {
            // `lib.rs`, which declares the rooms.
            continue;
        };
        let room = room.to_str().unwrap();
        if !ARROWS.iter().any(|(name, _)| *name == room) {
            complaints.push(format!("{room}: not in the table of rooms"));
            continue;
        }
        if file.ends_with("tests/rooms.rs") {
            continue;
        }
        seen += 1;
        let is_head = file.iter().count() == 2 && file.ends_with("mod.rs");
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let complaint = complaint(room, is_head, line);
            complaints
                .extend(complaint.map(|what| format!("src/{}:{number}: {what}", file.display())));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    assert!(seen > 50, "{seen} files were looked at");
}

#[test]
fn a_forbidden_arrow_is_found_and_named() {
    let arrow = |room, line| complaint(room, false, line).unwrap_or_default();
    assert_eq!(
        arrow("shared", "use crate::io::IoThread;"),
        "forbidden arrow: shared -> io; shared may import [\"codec\", \"records\", \"tls\"]"
    );
    for (room, line) in [
        ("codec", "use crate::records::event;"),
        ("records", "    pub(in crate::shared) fn f() {}"),
        (
            "io",
            "let borrowed = crate::javascript::lending::load::Load::default();",
        ),
        ("io", "use crate::{codec, javascript};"),
        ("io", "use super::super::javascript;"),
    ] {
        assert_ne!(arrow(room, line), "", "{room}: {line}");
    }
    assert!(complaint("io", true, "use super::javascript;").is_some());
    for (room, line) in [
        (
            "io",
            "use crate::shared::mailbox::Mailbox; // not crate::javascript",
        ),
        ("io", "use super::stream::Stream;"),
        ("io", "use crate::io::stream::Stream;"),
        ("shared", "    use crate::tests::support::listen;"),
        ("javascript", "use crate::io::IoThread;"),
    ] {
        assert_eq!(arrow(room, line), "", "{room}: {line}");
    }
}
