//! Names that have no edge, and the one way in which modules are laid out.

use super::nothing_found;
use super::source::{self, Kind, Source};

/// Names under which everything ends up; a function lives with the type or concept that it serves.
const EDGELESS: [&str; 12] = [
    "util",
    "utils",
    "utility",
    "utilities",
    "helper",
    "helpers",
    "common",
    "commons",
    "misc",
    "manager",
    "managers",
    "stuff",
];

fn edgeless(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let stem = source.path.trim_end_matches(".rs");
    if let Some(part) = stem.split('/').find(|part| EDGELESS.contains(part)) {
        findings.push(format!("{}: is called {part}", source.path));
    }
    // In a folder `tests` of a crate `name.rs` would be a test program of its own.
    if stem.ends_with("/mod") && stem.contains("/src/") {
        findings.push(format!("{}: a module folder stands beside its file `name.rs`", source.path));
    }
    for pair in source.all.windows(2) {
        let [key, name] = pair else { continue };
        if key.text == "mod" && name.kind == Kind::Word && EDGELESS.contains(&name.text.as_str()) {
            findings.push(source.at(name, &format!("has a module {}", name.text)));
        }
    }
    findings
}

#[test]
fn no_module_without_an_edge() {
    let findings: Vec<String> = source::workspace().iter().flat_map(edgeless).collect();
    nothing_found("a module is named after what it holds", &findings);
}

#[test]
fn the_checks_of_names_can_fail() {
    for (path, text, expected) in [
        ("core/x/src/utils.rs", "", vec!["core/x/src/utils.rs: is called utils"]),
        ("core/x/src/common/a.rs", "", vec!["core/x/src/common/a.rs: is called common"]),
        (
            "core/x/src/a/mod.rs",
            "",
            vec!["core/x/src/a/mod.rs: a module folder stands beside its file `name.rs`"],
        ),
        ("core/x/tests/a/mod.rs", "", vec![]),
        ("core/x/src/a.rs", "mod b {}\nmod helpers {}", vec!["core/x/src/a.rs:2: has a module helpers"]),
        ("core/x/src/a.rs", "fn helpers() {} mod commonplace {}", vec![]),
    ] {
        assert_eq!(edgeless(&Source::parse(path, text)), expected, "{path}");
    }
}
