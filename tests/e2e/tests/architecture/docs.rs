//! The documents and the code in step: invariants name tests that exist, pages name files that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::nothing_found;
use super::source::{self, Source};

/// How a line of docs/ARCHITECTURE.md begins that says what must never be done.
const INVARIANT: &str = "Architecture invariant:";

/// Documents whose paths are followed.
const DOCUMENTS: [&str; 4] = ["README.md", "docs/ARCHITECTURE.md", "docs/how-to", "docs/adr"];

/// Top folders; a text in backticks that begins with one of them is a path.
const TOP_FOLDERS: [&str; 6] = ["core/", "backend/", "tests/", "xtask/", "docs/", ".ci/"];

/// The texts in backticks of one line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Names of all functions that are run as tests.
fn test_names(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        let mut is_test = false;
        for two in source.all.windows(2) {
            let [one, next] = two else { continue };
            match one.text.as_str() {
                "test" if next.text == "]" || next.text == "(" => is_test = true,
                "fn" if is_test => {
                    names.insert(next.text.clone());
                    is_test = false;
                }
                "proptest" if next.text == "!" => is_test = false,
                _ => {}
            }
        }
    }
    names
}

/// Invariants that name no test, or one that does not exist.
fn unproved(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains(INVARIANT)) {
        let named: Vec<&str> = match line.rsplit_once("Test") {
            Some((_, named)) => quoted(named).collect(),
            None => Vec::new(),
        };
        if named.is_empty() {
            findings.push(format!("line {}: an invariant without a test", at + 1));
        }
        let missing = named.iter().filter(|name| !tests.contains(**name));
        findings.extend(missing.map(|name| format!("line {}: there is no test {name}", at + 1)));
    }
    findings
}

/// Paths that a document names and `exists` does not know. A path with `<name>`, `NAME` or `…` in it is a pattern.
fn dead_paths(document: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for path in quoted(line).filter(|path| TOP_FOLDERS.iter().any(|top| path.starts_with(top))) {
            let pattern = path.contains(['<', '*', '{', '…', ' ']) || path.contains("NNNN");
            if !pattern && !exists(path) {
                findings.push(format!("{document}:{}: there is no {path}", at + 1));
            }
        }
    }
    findings
}

/// Tests that a how-to page names, in the last column of its table, and that do not exist.
fn missing_guards(document: &str, text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let last_cell = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let is_name =
            |text: &&str| text.contains('_') && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        let missing = quoted(last_cell).filter(is_name).filter(|name| !tests.contains(*name) && *name != "_");
        findings.extend(missing.map(|name| format!("{document}:{}: there is no test {name}", at + 1)));
    }
    findings
}

fn documents(root: &Path) -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for name in DOCUMENTS {
        let path = root.join(name);
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder can be listed");
            files.extend(entries.map(|entry| entry.expect("a folder can be listed").path()));
        } else {
            files.push(path);
        }
    }
    let read = |file: &PathBuf| {
        let name = file.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(file).expect("a document can be read"))
    };
    files.iter().map(read).collect()
}

#[test]
fn every_invariant_names_its_test() {
    let text = std::fs::read_to_string(super::root().join("docs/ARCHITECTURE.md")).expect("the map is there");
    assert!(text.contains(INVARIANT), "the map states no invariant");
    nothing_found("docs/ARCHITECTURE.md", &unproved(&text, &test_names(source::workspace())));
}

#[test]
fn documents_name_files_that_exist() {
    let root = super::root();
    let exists = |path: &str| root.join(path).exists();
    let findings: Vec<String> =
        documents(&root).iter().flat_map(|(name, text)| dead_paths(name, text, &exists)).collect();
    nothing_found("a page that names a file is read with that file open", &findings);
}

#[test]
fn how_to_pages_name_tests_that_exist() {
    let tests = test_names(source::workspace());
    let pages = documents(&super::root()).into_iter().filter(|(name, _)| name.starts_with("docs/how-to/"));
    let findings: Vec<String> = pages.flat_map(|(name, text)| missing_guards(&name, &text, &tests)).collect();
    nothing_found("a how-to page says what fails when a step is left out", &findings);
}

#[test]
fn the_checks_of_documents_can_fail() {
    let code = "#[test] fn one() {} #[tokio::test(flavor = \"x\")] async fn two() {} fn three() {} \
                proptest! { #[test] fn four(a in b) {} }";
    let tests = test_names(&[Source::parse("core/x/src/a.rs", code)]);
    assert_eq!(tests.iter().map(String::as_str).collect::<Vec<_>>(), ["four", "one", "two"]);
    for (line, expected) in [
        ("**Architecture invariant:** no `f64`. Test: `one`", vec![]),
        ("**Architecture invariant:** x. Tests: `one`, `two`", vec![]),
        ("**Architecture invariant:** no `f64`.", vec!["line 1: an invariant without a test"]),
        ("**Architecture invariant:** x. Tests: `one`, `three`", vec!["line 1: there is no test three"]),
        ("no invariant, no test", vec![]),
    ] {
        assert_eq!(unproved(line, &tests), expected, "{line}");
    }
    for (line, expected) in [
        ("| 1 | `a_b` | the compiler, `one` |", vec![]),
        ("| 1 | x | no `_`; `crate/a_b`, `A_b c` |", vec![]),
        ("| 1 | x | `not_there` |", vec!["d.md:1: there is no test not_there"]),
        ("text `not_there`", vec![]),
    ] {
        assert_eq!(missing_guards("d.md", line, &tests), expected, "{line}");
    }
    let exists = |path: &str| path == "core/x";
    for (line, expected) in [
        ("`core/x` and `core/<name>/src`, `a/b`, core/y, `docs/adr/NNNN-what.md`", vec![]),
        ("see\n`core/y/src/a.rs`", vec!["d.md:2: there is no core/y/src/a.rs"]),
    ] {
        assert_eq!(dead_paths("d.md", line, &exists), expected, "{line}");
    }
}
