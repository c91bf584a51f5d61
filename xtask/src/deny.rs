//! The `deny` lane: deny.toml holds for everything that the build pulls in.
//!
//! Licences, bans and sources are checked here, from `cargo metadata` and without a network. Known vulnerabilities
//! need cargo-deny and its database; where it is not installed, that one check is skipped and said so.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::{MetadataCommand, Package};
use serde::Deserialize;

use crate::Problem;
use crate::cache::Cache;
use crate::cargo::{cargo, workspace_root};
use crate::child::{self, PROGRAM_TIME_MAX};
use crate::licence;
use crate::test::Report;

/// The part of deny.toml that is checked here; cargo-deny reads the rest too.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Two versions of it are banned, and not the crate.
    #[serde(default)]
    deny_multiple_versions: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// What is checked of a dependency.
struct Dependency {
    name: String,
    version: String,
    licence: Option<String>,
    /// Where its source comes from; `None` is a folder on this machine.
    source: Option<String>,
}

impl From<&Package> for Dependency {
    fn from(package: &Package) -> Self {
        Self {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone(),
            source: package.source.as_ref().map(|source| source.repr.clone()),
        }
    }
}

/// Runs the lane.
pub(crate) fn run(report: &mut Report, cache: &Cache, log: &Path) -> Result<(), Problem> {
    let file = workspace_root().join("deny.toml");
    let text = std::fs::read_to_string(&file).map_err(Problem::io("deny.toml cannot be read"))?;
    let rules: Rules = toml::from_str(&text)?;
    let options = vec!["--locked".to_owned()];
    let metadata = MetadataCommand::new().current_dir(workspace_root()).other_options(options).exec()?;
    let members = metadata.workspace_members.clone();
    let foreign = metadata.packages.iter().filter(|package| !members.contains(&package.id));
    let dependencies: Vec<Dependency> = foreign.map(Dependency::from).collect();
    for findings in
        [licences(&rules, &dependencies), bans(&rules, &dependencies), sources(&rules, &dependencies)]
    {
        report.check(findings.is_empty(), || findings.join("\n"));
    }
    advisories(report, cache, log)
}

/// Known vulnerabilities, by cargo-deny, with the database that it has or can fetch.
fn advisories(report: &mut Report, cache: &Cache, log: &Path) -> Result<(), Problem> {
    let installed = cargo(cache.target()).args(["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        report.skip("known vulnerabilities: cargo install --locked cargo-deny");
        return Ok(());
    }
    let ended =
        child::run(cargo(cache.target()).args(["deny", "check", "advisories"]), log, PROGRAM_TIME_MAX)?;
    if !ended.well && ended.output.contains("failed to fetch advisory database") {
        report.skip("known vulnerabilities: a network that reaches github.com/rustsec/advisory-db");
    } else {
        report.check(ended.well, || ended.output);
    }
    Ok(())
}

fn licences(rules: &Rules, dependencies: &[Dependency]) -> Vec<String> {
    let refused = |one: &&Dependency| {
        !one.licence.as_ref().is_some_and(|text| licence::is_met(text, &rules.licenses.allow))
    };
    let text = |one: &Dependency| {
        format!(
            "deny: {} {}: licence {}",
            one.name,
            one.version,
            one.licence.as_deref().unwrap_or("not named")
        )
    };
    dependencies.iter().filter(refused).map(text).collect()
}

fn bans(rules: &Rules, dependencies: &[Dependency]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in dependencies {
        versions.entry(&one.name).or_default().push(&one.version);
    }
    let count_max = |ban: &Ban| if ban.deny_multiple_versions { 1 } else { 0 };
    let broken = |ban: &Ban| {
        let found = versions.get(ban.name.as_str()).filter(|found| found.len() > count_max(ban))?;
        Some(format!("deny: {} {}: banned: {}", ban.name, found.join(", "), ban.reason))
    };
    rules.bans.deny.iter().filter_map(broken).collect()
}

fn sources(rules: &Rules, dependencies: &[Dependency]) -> Vec<String> {
    let allowed = |one: &Dependency| {
        let registry = one.source.as_deref().and_then(|source| source.strip_prefix("registry+"));
        registry.is_some_and(|url| rules.sources.allow_registry.iter().any(|known| known == url))
    };
    let text = |one: &Dependency| {
        format!(
            "deny: {} {}: comes from {}",
            one.name,
            one.version,
            one.source.as_deref().unwrap_or("a folder")
        )
    };
    dependencies.iter().filter(|one| !allowed(one)).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [
            { crate = "openssl", reason = "one library" },
            { crate = "ring", deny-multiple-versions = true, reason = "one version" },
        ]
        [sources]
        allow-registry = ["https://crates"]
    "#;

    fn dependency(name: &str, version: &str, licence: Option<&str>, source: Option<&str>) -> Dependency {
        let own = |text: &str| text.to_owned();
        Dependency {
            name: own(name),
            version: own(version),
            licence: licence.map(own),
            source: source.map(own),
        }
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let good =
            || dependency("serde", "1.0.0", Some("MIT OR Apache-2.0"), Some("registry+https://crates"));
        let ring = |version: &str| dependency("ring", version, Some("MIT"), Some("registry+https://crates"));
        let check = |dependencies: &[Dependency]| {
            [licences(&rules, dependencies), bans(&rules, dependencies), sources(&rules, dependencies)]
                .concat()
        };
        assert_eq!(check(&[good(), ring("1.0.0")]), Vec::<String>::new());
        for (bad, finding) in [
            (
                dependency("a", "1.0.0", Some("GPL-3.0-only"), good().source.as_deref()),
                "deny: a 1.0.0: licence GPL-3.0-only",
            ),
            (dependency("a", "1.0.0", None, good().source.as_deref()), "deny: a 1.0.0: licence not named"),
            (
                dependency("openssl", "1.0.0", Some("MIT"), good().source.as_deref()),
                "deny: openssl 1.0.0: banned: one library",
            ),
            (ring("2.0.0"), "deny: ring 1.0.0, 2.0.0: banned: one version"),
            (
                dependency("a", "1.0.0", Some("MIT"), Some("git+https://x")),
                "deny: a 1.0.0: comes from git+https://x",
            ),
            (dependency("a", "1.0.0", Some("MIT"), None), "deny: a 1.0.0: comes from a folder"),
        ] {
            assert_eq!(check(&[good(), ring("1.0.0"), bad]), [finding]);
        }
    }

    #[test]
    fn the_rules_of_the_project_can_be_read() {
        let text = std::fs::read_to_string(workspace_root().join("deny.toml")).unwrap();
        let rules: Rules = toml::from_str(&text).unwrap();
        assert!(rules.bans.deny.iter().any(|ban| ban.name == "openssl" && !ban.deny_multiple_versions));
        assert!(rules.bans.deny.iter().any(|ban| ban.name == "ring" && ban.deny_multiple_versions));
    }
}
