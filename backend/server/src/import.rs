//! `souk import icecat`: product sheets of the open Icecat catalogue as offers of one shop (spec/market.md 3.5).
//!
//! Upsert by (shop, sku): the same file again changes nothing. Progress and one report a refused or warned line go to
//! stderr, the totals to stdout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_domain::catalogue::put_product::{ProductFacts, gtin_14};
use souk_domain::catalogue::{CheckedProduct, QuantityRule, TaxRule};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_engine::Engine;
use souk_store::Store;
use souk_testkit::market::ProductPlan;

use crate::failure::Failure;
use crate::progress;
use crate::seeding::{Put, Seeder, ShopPlan};

/// Lines of one file (spec/market.md 3, limits).
pub const LINES_MAX: usize = 200_000;
/// Units of each imported product: the sheets name none.
const STOCK: u32 = 20;
/// Name of the file when a folder is given.
const FILE: &str = "products.jsonl.gz";
/// Owner of the shop that imports go to when none is named.
const CONTACT: &str = "import@souk.invalid";

/// What `souk import` prints.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Lines read.
    pub lines: u64,
    /// Lines taken or unchanged.
    pub ok: u64,
    /// New offers.
    pub created: u64,
    /// Changed offers.
    pub updated: u64,
    /// Offers that were there, the same.
    pub unchanged: u64,
    /// Lines refused.
    pub refused: u64,
    /// Lines with a warning.
    pub warned: u64,
    /// Findings by code.
    pub by_code: BTreeMap<String, u64>,
    /// Control totals of the file.
    pub control: Control,
}

/// Control totals of an Icecat file (spec/market.md 3.5).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Control {
    /// EAN values.
    pub eans: u64,
    /// Those that are GTINs.
    pub eans_valid: u64,
    /// Distinct GTIN-14.
    pub gtins: u64,
    /// Units of trade.
    pub gtins_unit: u64,
    /// Packs (indicator digit 1-8).
    pub gtins_pack: u64,
    /// In-store numbers.
    pub gtins_restricted: u64,
    /// Different attribute keys.
    pub attribute_keys: u64,
    /// Attribute values.
    pub attribute_values: u64,
    /// Lines without a short description.
    pub without_description: u64,
    /// Sum of prices, US cents.
    pub price_sum_minor: i64,
    /// Longest title, characters.
    pub title_chars_max: u64,
    /// Longest attribute value, characters.
    pub attribute_chars_max: u64,
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Line of the file, from 1.
    pub line: u64,
    /// The seller's name of it.
    pub sku: String,
    /// `error` or `warning`.
    pub level: &'static str,
    /// Stable code.
    pub code: String,
    /// The field.
    pub field: &'static str,
    /// The value.
    pub value: String,
}

/// A file, read: plans with the line they stand on, findings, totals.
#[derive(Debug)]
pub struct Sheets {
    /// Products that can be put.
    pub plans: Vec<(u64, ProductPlan)>,
    /// What was odd.
    pub findings: Vec<Finding>,
    /// Lines read.
    pub lines: u64,
    /// Control totals.
    pub control: Control,
}

#[derive(Deserialize)]
struct Sheet {
    id: String,
    name: String,
    title: String,
    #[serde(default)]
    ean: Vec<String>,
    #[serde(default)]
    short_description: String,
    #[serde(default)]
    supplier: String,
    price: i64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Reads a file or a folder of Icecat sheets; `.gz` is unpacked. Refuses `import.file`, `import.too_large`.
pub fn icecat(path: &Path) -> Result<Sheets, Failure> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
    let file = File::open(&path)
        .map_err(|error| Failure::new("import.file", format!("{}: {error}", path.display())))?;
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if is_packed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut sheets =
        Sheets { plans: Vec::new(), findings: Vec::new(), lines: 0, control: Control::default() };
    let mut seen = Seen::default();
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(|error| Failure::new("import.encoding", error.to_string()))?;
        sheets.lines += 1;
        if sheets.lines > LINES_MAX as u64 {
            return Err(Failure::new("import.too_large", format!("more than {LINES_MAX} lines")));
        }
        match serde_json::from_str::<Sheet>(&line) {
            Ok(sheet) => take(sheet, &mut sheets, &mut seen),
            Err(error) => sheets.findings.push(Finding {
                line: sheets.lines,
                sku: String::new(),
                level: "error",
                code: "import.column".to_owned(),
                field: "line",
                value: error.to_string(),
            }),
        }
    }
    sheets.control.gtins = seen.gtins.len() as u64;
    sheets.control.attribute_keys = seen.keys.len() as u64;
    for gtin in &seen.gtins {
        match level_of(gtin) {
            GtinLevel::Unit => sheets.control.gtins_unit += 1,
            GtinLevel::Pack => sheets.control.gtins_pack += 1,
            GtinLevel::Restricted => sheets.control.gtins_restricted += 1,
        }
    }
    Ok(sheets)
}

/// What a GTIN-14 names (spec/market.md 3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GtinLevel {
    Unit,
    Pack,
    Restricted,
}

fn level_of(gtin_14: &str) -> GtinLevel {
    let digits = gtin_14.as_bytes();
    match digits.first() {
        Some(b'1'..=b'8') => GtinLevel::Pack,
        // GTIN-13 beginning with 02, 04 or 2x.
        _ if matches!(digits.get(1..3), Some([b'2', _] | [b'0', b'2' | b'4'])) => GtinLevel::Restricted,
        _ => GtinLevel::Unit,
    }
}

#[derive(Default)]
struct Seen {
    gtins: BTreeSet<String>,
    keys: BTreeSet<String>,
    skus: BTreeSet<String>,
}

fn take(sheet: Sheet, sheets: &mut Sheets, seen: &mut Seen) {
    let line = sheets.lines;
    let finding = |level, code: &str, field, value: &str| Finding {
        line,
        sku: sheet.id.clone(),
        level,
        code: code.to_owned(),
        field,
        value: value.to_owned(),
    };
    let control = &mut sheets.control;
    let mut gtins = Vec::new();
    for ean in &sheet.ean {
        control.eans += 1;
        match gtin_14(ean) {
            Ok(gtin) => {
                control.eans_valid += 1;
                if !gtins.contains(&gtin) {
                    gtins.push(gtin.clone());
                }
                seen.gtins.insert(gtin);
            }
            // In this format a warning: the product is kept without the number.
            Err(refusal) => sheets.findings.push(finding("warning", refusal.code, "ean", ean)),
        }
    }
    let mut attributes = Vec::new();
    for (key, value) in &sheet.rest {
        let Some(name) = key.strip_prefix("attr_") else { continue };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        control.attribute_values += 1;
        control.attribute_chars_max = control.attribute_chars_max.max(text.chars().count() as u64);
        seen.keys.insert(key.clone());
        attributes.push((name.to_owned(), text));
    }
    control.price_sum_minor += sheet.price;
    control.title_chars_max = control.title_chars_max.max(sheet.title.chars().count() as u64);
    if sheet.short_description.is_empty() {
        control.without_description += 1;
    }
    if !seen.skus.insert(sheet.id.clone()) {
        sheets.findings.push(finding("error", "import.sku_twice", "id", &sheet.id));
        return;
    }
    sheets.plans.push((
        line,
        ProductPlan {
            sku: sheet.id,
            facts: ProductFacts {
                title: sheet.title,
                titles: Vec::new(),
                category: "unsorted".to_owned(),
                brand: sheet.supplier,
                mpn: sheet.name,
                description: sheet.short_description,
                attributes,
                gtins,
                weight_g: 0,
                image: None,
            },
            price: Money::new(sheet.price, Currency::USD),
            tax: TaxRule { rate: Ppm(0), inclusive: true, rounding: Rounding::HalfUp },
            quantity: QuantityRule::ANY,
            stock: STOCK,
        },
    ));
}

/// What a run would do on an empty shop; writes nothing.
pub fn dry_run(sheets: Sheets) -> Report {
    let mut report = Report { lines: sheets.lines, control: sheets.control, ..Report::default() };
    tell(&sheets.findings, &mut report);
    for (line, plan) in &sheets.plans {
        match CheckedProduct::new(plan.facts.clone()) {
            Ok(_) => report.ok += 1,
            Err(refusal) => refused(*line, &plan.sku, refusal.code, &mut report),
        }
    }
    report
}

/// Puts the sheets into a shop of a store that nobody serves.
pub async fn load(sheets: Sheets, seller: Option<&str>, store: Arc<dyn Store>) -> Result<Report, Failure> {
    if seller.is_some() {
        return Err(Failure::new(
            "import.seller",
            "a shop of somebody else is imported to through the seller's device",
        ));
    }
    let mut report = Report { lines: sheets.lines, control: sheets.control, ..Report::default() };
    tell(&sheets.findings, &mut report);
    let now = crate::clock::now();
    let mut engine = Engine::open(store, crate::market::engine_config()?).await?;
    let mut seeder = Seeder::new(&mut engine, now);
    let plan = ShopPlan {
        contact: CONTACT.to_owned(),
        name: "Icecat Import".to_owned(),
        city: "Seoul".to_owned(),
        currency: Currency::USD,
        shipping: Money::new(500, Currency::USD),
        free_from: None,
        courier: None,
    };
    let shop = seeder.shop(&plan).await?;
    let bar = progress::bar(sheets.plans.len() as u64, "products");
    let (lines, plans): (Vec<u64>, Vec<ProductPlan>) = sheets.plans.into_iter().unzip();
    let results = seeder.products(CONTACT, shop, &plans, |done| bar.inc(done)).await?;
    bar.finish_and_clear();
    for ((line, plan), put) in lines.iter().zip(&plans).zip(results) {
        match put {
            Put::Created => report.created += 1,
            Put::Updated => report.updated += 1,
            Put::Unchanged => report.unchanged += 1,
            Put::Refused { code } => refused(*line, &plan.sku, &code, &mut report),
        }
    }
    report.ok = report.created + report.updated + report.unchanged;
    Ok(report)
}

fn refused(line: u64, sku: &str, code: &str, report: &mut Report) {
    let finding = Finding {
        line,
        sku: sku.to_owned(),
        level: "error",
        code: code.to_owned(),
        field: "line",
        value: String::new(),
    };
    tell(&[finding], report);
}

/// Counts findings, and writes each as one JSON line to stderr.
#[allow(clippy::print_stderr, reason = "line reports belong on stderr")]
fn tell(findings: &[Finding], report: &mut Report) {
    for finding in findings {
        match finding.level {
            "warning" => report.warned += 1,
            _ => report.refused += 1,
        }
        *report.by_code.entry(finding.code.clone()).or_default() += 1;
        eprintln!("{}", serde_json::to_string(finding).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_gtins() {
        assert_eq!(level_of("04006381333931"), GtinLevel::Unit);
        assert_eq!(level_of("14006381333938"), GtinLevel::Pack);
        assert_eq!(level_of("02012345000005"), GtinLevel::Restricted);
        assert_eq!(level_of("00212345000005"), GtinLevel::Restricted);
        assert_eq!(level_of("00412345000005"), GtinLevel::Restricted);
    }

    /// The control totals of spec/market.md 3.5, where the data is there.
    #[test]
    fn icecat_control_totals() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/icecat");
        if !path.exists() {
            eprintln!("skipped: {}", path.display());
            return;
        }
        let sheets = icecat(&path).unwrap();
        assert_eq!(sheets.lines, 19_406);
        assert_eq!(
            sheets.control,
            Control {
                eans: 51_459,
                eans_valid: 51_458,
                gtins: 50_510,
                gtins_unit: 50_228,
                gtins_pack: 145,
                gtins_restricted: 137,
                attribute_keys: 5_354,
                attribute_values: 371_405,
                without_description: 721,
                price_sum_minor: 447_178_060,
                title_chars_max: 259,
                attribute_chars_max: 6_898,
            }
        );
        assert_eq!(sheets.findings.len(), 1);
        assert_eq!(sheets.findings[0].value, "85896333746");
    }
}
