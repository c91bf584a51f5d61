//! Which crate may see which, and what every crate carries.

use std::collections::BTreeSet;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use super::nothing_found;

/// The crates of the workspace that a crate may depend on. Arrows point one way; a crate that is not in the table
/// is refused, so that its place is thought about once, here.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("souk-crypto", &[]),
    ("souk-codes", &[]),
    ("souk-text", &[]),
    ("souk-domain", &["crypto", "codes", "text"]),
    ("souk-protocol", &["domain", "crypto", "codes", "text"]),
    ("souk-device", &["protocol", "domain", "crypto", "codes", "text"]),
    ("souk-store", &["domain", "crypto", "codes", "text"]),
    ("souk-engine", &["store", "protocol", "domain", "crypto", "codes", "text"]),
    ("souk-rails", &["domain", "crypto", "codes"]),
    ("souk-http", &["engine", "store", "rails", "protocol", "domain", "crypto", "codes", "text"]),
    (
        "souk-server",
        &[
            "http", "engine", "store", "rails", "device", "testkit", "frames", "protocol", "domain",
            "crypto", "codes", "text",
        ],
    ),
    ("souk-testkit", &["protocol", "domain", "crypto", "codes", "text"]),
    ("souk-frames", &["codes"]),
    ("souk-conformance", &["store", "testkit", "domain", "crypto"]),
    (
        "souk-simulator",
        &["engine", "store", "rails", "device", "testkit", "protocol", "domain", "crypto", "codes", "text"],
    ),
    (
        "souk-e2e",
        &["http", "engine", "store", "rails", "device", "testkit", "protocol", "domain", "crypto", "codes"],
    ),
    ("xtask", &[]),
];

/// Crates whose rules run on phone, server and simulator alike, with what they must not be able to reach.
const PURE: [&str; 4] = ["souk-domain", "souk-codes", "souk-text", "souk-protocol"];
const IMPURE_DEPENDENCIES: [&str; 13] = [
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "libc",
    "rand",
    "reqwest",
    "rusqlite",
    "tempfile",
    "time",
    "tokio",
    "tokio-postgres",
    "uuid",
];

/// The only crate that depends on ring.
const CRYPTO: &str = "souk-crypto";

/// A crate with the names of its dependencies that ship.
struct Crate {
    name: String,
    sees: BTreeSet<String>,
}

impl From<&Package> for Crate {
    fn from(package: &Package) -> Self {
        let ships = package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
        Self { name: package.name.to_string(), sees: ships.map(|one| one.name.clone()).collect() }
    }
}

fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(super::root()).no_deps().exec().expect("cargo metadata")
}

fn workspace() -> Vec<Crate> {
    metadata().workspace_packages().into_iter().map(Crate::from).collect()
}

fn against_the_arrows(crates: &[Crate]) -> Vec<String> {
    let own: BTreeSet<&str> = crates.iter().map(|one| one.name.as_str()).collect();
    let mut findings = Vec::new();
    for Crate { name, sees } in crates {
        let Some((_, allowed)) = MAY_SEE.iter().find(|(known, _)| known == name) else {
            findings.push(format!("{name} has no row in MAY_SEE"));
            continue;
        };
        for seen in sees.iter().filter(|seen| own.contains(seen.as_str())) {
            let short = seen.strip_prefix("souk-").unwrap_or(seen);
            if !allowed.contains(&short) {
                findings.push(format!("{name} may not see {seen}"));
            }
        }
    }
    findings
}

fn impure(crates: &[Crate]) -> Vec<String> {
    let pure = crates.iter().filter(|one| PURE.contains(&one.name.as_str()));
    pure.flat_map(|one| {
        let banned = |seen: &&String| IMPURE_DEPENDENCIES.contains(&seen.as_str());
        one.sees.iter().filter(banned).map(|seen| format!("{} must do without {seen}", one.name))
    })
    .collect()
}

fn beside_crypto(crates: &[Crate]) -> Vec<String> {
    let others = crates.iter().filter(|one| one.name != CRYPTO && one.sees.contains("ring"));
    others.map(|one| format!("{} depends on ring", one.name)).collect()
}

/// What every crate carries: a README that is its rustdoc, and the lints of the workspace.
fn incomplete(name: &str, folder: &Path) -> Vec<String> {
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let front = ["src/lib.rs", "src/main.rs"].map(text).concat();
    let manifest: String = text("Cargo.toml").split_whitespace().collect();
    [
        (text("README.md").trim().len() > name.len(), "has no README.md"),
        (
            front.starts_with("#![doc = include_str!(\"../README.md\")]"),
            "does not show its README.md as rustdoc",
        ),
        (manifest.contains("[lints]workspace=true"), "does not take the lints of the workspace"),
    ]
    .into_iter()
    .filter(|(holds, _)| !holds)
    .map(|(_, what)| format!("{name} {what}"))
    .collect()
}

#[test]
fn arrows_point_one_way() {
    nothing_found("crates see only what lies below them", &against_the_arrows(&workspace()));
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    nothing_found("rules need no clock, file, network or chance", &impure(&workspace()));
}

#[test]
fn only_crypto_depends_on_ring() {
    nothing_found("ring is called through core/crypto", &beside_crypto(&workspace()));
}

#[test]
fn every_crate_has_readme_and_lints() {
    let metadata = metadata();
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().expect("a manifest stands in a folder");
        findings.extend(incomplete(&package.name, folder.as_std_path()));
    }
    nothing_found("a crate explains itself and is linted", &findings);
}

#[test]
fn the_checks_of_crates_can_fail() {
    let one = |name: &str, sees: &[&str]| Crate {
        name: name.to_owned(),
        sees: sees.iter().map(|&seen| seen.to_owned()).collect(),
    };
    let base =
        || vec![one("souk-crypto", &["ring"]), one("souk-domain", &["souk-crypto"]), one("souk-store", &[])];
    let check =
        |crates: &[Crate]| [against_the_arrows(crates), impure(crates), beside_crypto(crates)].concat();
    assert_eq!(check(&base()), Vec::<String>::new());
    for (bad, finding) in [
        (one("souk-codes", &["souk-domain"]), "souk-codes may not see souk-domain"),
        (one("souk-protocol", &["souk-store"]), "souk-protocol may not see souk-store"),
        (one("souk-mystery", &[]), "souk-mystery has no row in MAY_SEE"),
        (one("souk-text", &["tokio"]), "souk-text must do without tokio"),
        (one("souk-http", &["ring"]), "souk-http depends on ring"),
    ] {
        let mut crates = base();
        crates.push(bad);
        assert_eq!(check(&crates), [finding]);
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("README.md"), "# souk-bare\n").expect("a README");
    let expected = ["does not show its README.md as rustdoc", "does not take the lints of the workspace"];
    assert_eq!(incomplete("souk-bare", folder.path()), expected.map(|what| format!("souk-bare {what}")));
    assert_eq!(incomplete("souk-none", Path::new("/nowhere")).len(), 3);
}
