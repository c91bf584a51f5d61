//! Parsing, limits, FTS5 text and the probes of spec/sync.md 9.5 without a database.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{index_tokens, slips};

fn check(text: &str, expect: &str) {
    let shown = match Query::parse(text) {
        Ok(query) => query.to_fts5_match().replace('"', ""),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expect, "{text}");
}

#[test]
fn parsed() {
    check("쌀", "쌀");
    check("노이즈", "노이 AND 이즈");
    check("하하하", "하하");
    check("노이즈 캔슬링", "노이 AND 이즈 AND 슬링 AND 캔슬");
    check("갤럭시s24", "갤럭 AND 럭시 AND ((s24) OR (s AND 24))");
    check("WH-1000XM5", "wh AND 1000xm5");
    check("usbc", "usbc");
    check("3.5mm", "((3\u{E001}5mm) OR (3\u{E001}5 AND mm))");
    check("Headphones", "headphone");
    check("rtx2060s", "rtx2060s"); // s alone is not indexed
    check("이어폰ㄴ", "어폰 AND 이어");
    check("ㅋㅋ 이어폰", "어폰 AND 이어");
    check("ㅇㅇ", "search.unfinished");
    check("", "search.empty");
    check(" ™ \"*\" ", "search.empty");
    check("a OR b NOT c*", "a AND or AND b AND not AND c");
    check("t : x \" ) NEAR(", "t AND x AND near");
}

#[test]
fn limits() {
    let of = |n: usize| "가".repeat(n);
    assert!(Query::parse(&of(QUERY_CHARS_MAX)).is_ok());
    assert!(Query::parse(&format!("  {}  ", of(QUERY_CHARS_MAX))).is_ok()); // blanks round it do not count
    assert_eq!(Query::parse(&of(QUERY_CHARS_MAX + 1)), Err(TextError::TooLong));
    assert!(Query::parse(&"\u{1100}\u{1161}".repeat(QUERY_CHARS_MAX)).is_ok()); // the same, decomposed
    assert_eq!(Query::parse(&"a".repeat(10_000)), Err(TextError::TooLong));
    assert_eq!(Query::parse(&"\u{300}".repeat(RAW_CHARS_MAX + 1)), Err(TextError::TooLong));
    assert_eq!(Query::parse(&"\u{FDFA}".repeat(QUERY_CHARS_MAX)), Err(TextError::TooLong)); // 18 letters each
    let words = |n: usize| vec!["ab"; n].join(" ");
    assert!(Query::parse(&words(QUERY_WORDS_MAX)).is_ok());
    assert_eq!(Query::parse(&words(QUERY_WORDS_MAX + 1)), Err(TextError::TooManyWords));
}

#[test]
fn rechecked() {
    for (query, title, expect) in [
        ("노이즈캔슬링", "무선 노이즈 캔슬링 헤드폰", true),
        ("이즈캔", "노이즈 캔슬링", true),
        ("노이즈", "이즈 노이", false), // both bigrams are there, the word is not
        ("노이즈 x", "노이즈", true),   // A words are exact tokens already
        ("いやほん", "ｲﾔﾎﾝ 有線", true),
    ] {
        assert_eq!(Query::parse(query).unwrap().recheck(title), expect, "{query} in {title}");
    }
}

#[test]
fn split_readings() {
    let readings =
        |text: &str| Query::parse(text).unwrap().splits().map(|q| q.to_string()).collect::<Vec<_>>();
    assert_eq!(readings("무선이어폰"), ["무선 이어폰", "무선이 어폰"]);
    assert_eq!(readings("蓝牙降噪 usb"), ["蓝牙 降噪 usb"]);
    assert_eq!(readings("가나다라 마바사아"), ["가나 다라 마바사아", "가나다라 마바 사아"]);
    assert!(readings("이어폰 bluetooth").is_empty());
}

#[test]
fn empty_alternative_never_matches() {
    let word = |alternatives| Word { text: "x".to_owned(), is_cjk: false, alternatives };
    let tokens = BTreeSet::from(["x".to_owned()]);
    for (alternatives, expect) in
        [(vec![], false), (vec![vec![]], false), (vec![vec![], vec!["x".to_owned()]], true)]
    {
        assert_eq!(Query { words: vec![word(alternatives)] }.matches(&tokens), expect);
    }
}

/// Every query of the fixture that steps 1 to 3 of the ladder answer finds exactly its products.
#[test]
fn probes() {
    let fixture = include_str!("../../../../tests/fixtures/probes.tsv");
    let mut titles = BTreeMap::new();
    let mut asked = 0;
    for line in fixture.lines().filter(|line| !line.starts_with('#')) {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["product", id, title] => {
                titles.insert(id, (title, index_tokens(&[title]).into_iter().collect::<BTreeSet<_>>()));
            }
            ["query", _, step @ ("exact" | "split" | "slip"), text, ids] => {
                let find = |query: &Query| {
                    let hit = |(title, tokens): &(&str, _)| query.matches(tokens) && query.recheck(title);
                    titles.iter().filter(|(_, of)| hit(of)).map(|(id, _)| *id).collect::<Vec<_>>().join(" ")
                };
                let typed = Query::parse(text).ok();
                let splits = typed.iter().flat_map(Query::splits);
                let slips = slips(text).into_iter().filter_map(|reading| Query::parse(&reading).ok());
                let readings = typed.iter().cloned().map(|query| ("exact", query));
                let readings = readings.chain(splits.map(|q| ("split", q))).chain(slips.map(|q| ("slip", q)));
                let found =
                    readings.map(|(by, query)| (by, find(&query))).find(|(_, found)| !found.is_empty());
                let expect = (!ids.is_empty()).then(|| (step, ids.to_owned()));
                assert_eq!(found, expect, "{text}");
                asked += 1;
            }
            ["query", _, "typo" | "suggest", _, _] => {} // need the lexicon of spec/sync.md 9.4
            _ => panic!("{line}"),
        }
    }
    assert_eq!((titles.len(), asked), (27, 50));
}

proptest! {
    /// Whatever is typed is answered, and a title is always found by its own words.
    #[test]
    fn a_title_is_found_by_itself(title in "[가-힣a-z0-9ア-ン一-龥 .,'/-]{1,40}") {
        let tokens: BTreeSet<String> = index_tokens(&[&title]).into_iter().collect();
        if let Ok(query) = Query::parse(&title) {
            prop_assert!(query.matches(&tokens), "{query:?} {tokens:?}");
            prop_assert!(query.recheck(&title));
        }
    }

    #[test]
    fn anything_is_answered(text in ".{0,100}") {
        if let Ok(query) = Query::parse(&text) {
            query.recheck(&text);
            prop_assert!(query.splits().count() <= 64);
            prop_assert_eq!(query.to_fts5_match().matches('"').count() % 2, 0);
        }
    }
}
