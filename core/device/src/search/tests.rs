//! Against a real SQLite: the probes of spec/sync.md 9.5, hostile texts, and equality with `Query::matches`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use souk_text::{fts5, index_tokens};

use super::*;

/// An index over titles, and the titles.
struct Shelf {
    conn: Connection,
    titles: BTreeMap<Rid, String>,
}

impl Shelf {
    fn of<'a>(titles: impl IntoIterator<Item = (i64, &'a str)>) -> Shelf {
        let conn = Connection::open_in_memory().unwrap();
        create(&conn).unwrap();
        let mut shelf = Shelf { conn, titles: BTreeMap::new() };
        for (rid, title) in titles {
            put(&shelf.conn, Rid(rid), &index_tokens(&[title])).unwrap();
            shelf.titles.insert(Rid(rid), title.to_owned());
        }
        shelf
    }

    fn title(&self, rid: Rid) -> Result<Option<String>> {
        Ok(self.titles.get(&rid).cloned())
    }

    fn page(&self, text: &str, after: Option<i64>, limit: usize) -> (Vec<i64>, Option<i64>) {
        let page = Page { after: after.map(Rid), limit };
        let hits = search(&self.conn, &Query::parse(text).unwrap(), page, |rid| self.title(rid)).unwrap();
        (hits.rids.iter().map(|rid| rid.0).collect(), hits.next.map(|rid| rid.0))
    }

    fn find(&self, text: &str) -> Vec<i64> {
        self.page(text, None, usize::MAX).0
    }
}

#[test]
fn probes() {
    let fixture = include_str!("../../../../tests/fixtures/probes.tsv");
    let rows: Vec<Vec<&str>> = fixture
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
        .collect();
    let shelf =
        Shelf::of(rows.iter().filter(|row| row[0] == "product").map(|row| (row[1].parse().unwrap(), row[2])));
    let mut asked = 0;
    for row in rows.iter().filter(|row| row[0] == "query" && matches!(row[2], "exact" | "split" | "slip")) {
        let answer = search_text(&shelf.conn, row[3], 20, |rid| shelf.title(rid)).unwrap();
        let ids: Vec<String> = answer.hits.rids.iter().map(|rid| format!("{:02}", rid.0)).collect();
        assert_eq!(ids.join(" "), row[4], "{row:?}");
        assert_eq!(answer.corrected.is_some(), row[2] != "exact", "{row:?}");
        asked += 1;
    }
    assert_eq!((shelf.titles.len(), asked), (27, 50));
}

#[test]
fn corrected_reading_is_named() {
    let shelf = Shelf::of([(1, "무선 노이즈캔슬링 이어폰")]);
    let find = |text: &str| search_text(&shelf.conn, text, 20, |rid| shelf.title(rid)).unwrap();
    assert_eq!(find("무선이어폰").corrected.map(|query| query.to_string()).as_deref(), Some("무선 이어폰"));
    assert_eq!(find("이어폰").corrected, None);
    assert_eq!(find("dldjvhs").corrected.map(|query| query.to_string()).as_deref(), Some("이어폰"));
    let none = find("없는상품");
    assert_eq!((none.hits.rids.len(), none.hits.next, none.corrected), (0, None, None));
    for (text, code) in
        [("ㅋㅋ", "search.unfinished"), ("?", "search.empty"), (&"a".repeat(65), "search.too_long")]
    {
        let answer = search_text(&shelf.conn, text, 20, |rid| shelf.title(rid));
        assert_eq!(answer.unwrap_err().to_string(), code);
    }
}

#[test]
fn put_replaces_and_delete_removes() {
    let mut shelf = Shelf::of([(16, "사과 주스"), (32, "사과 5kg")]);
    assert_eq!(shelf.find("사과"), [16, 32]);
    let title = "포도 주스";
    put(&shelf.conn, Rid(16), &index_tokens(&[title])).unwrap();
    shelf.titles.insert(Rid(16), title.to_owned());
    assert_eq!((shelf.find("사과"), shelf.find("포도"), shelf.find("주스")), (vec![32], vec![16], vec![16]));
    for _ in 0..2 {
        delete(&shelf.conn, Rid(16)).unwrap(); // the second time it is not there
    }
    assert_eq!(shelf.find("주스"), [0_i64; 0]);
    shelf.titles.remove(&Rid(32));
    assert_eq!(shelf.find("5kg"), [0_i64; 0], "a product whose row is gone is left out");
}

#[test]
fn pages_in_order_and_stops_early() {
    let titles: Vec<(i64, String)> = (1..=100).map(|i| (i * 16, format!("쌀 {i}kg"))).collect();
    let shelf = Shelf::of(titles.iter().rev().map(|(rid, title)| (*rid, title.as_str())));
    let mut after = None;
    let mut all = Vec::new();
    loop {
        let (rids, next) = shelf.page("쌀", after, 30);
        all.extend(rids);
        after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(all, titles.iter().map(|(rid, _)| *rid).collect::<Vec<_>>());

    let mut read = 0;
    let page = Page { after: None, limit: 20 };
    let hits = search(&shelf.conn, &Query::parse("쌀").unwrap(), page, |rid| {
        read += 1;
        shelf.title(rid)
    });
    assert_eq!((hits.unwrap().rids.len(), read), (20, 20));
    assert_eq!(shelf.page("쌀", None, 0), (vec![], None));
}

#[test]
fn candidates_are_bounded() {
    // Both bigrams of the word, but never the word.
    let titles: Vec<(i64, String)> =
        (1..=CANDIDATES_MAX as i64 + 1).map(|i| (i, "노이, 이즈".to_owned())).collect();
    let shelf = Shelf::of(titles.iter().map(|(rid, title)| (*rid, title.as_str())));
    assert_eq!(shelf.page("노이즈", None, 20), (vec![], Some(CANDIDATES_MAX as i64)));
    assert_eq!(shelf.page("노이즈", Some(CANDIDATES_MAX as i64), 20), (vec![], None));
    assert_eq!(shelf.page("노이즈", Some(1), 20), (vec![], Some(CANDIDATES_MAX as i64 + 1)));
}

#[test]
fn todo_is_folded_in_slices() {
    let shelf = Shelf::of([(1, "사과")]);
    let last = TODO_SLICE_ROWS as i64 + 1;
    for rid in (1..=last).chain([2]) {
        mark_todo(&shelf.conn, Rid(rid)).unwrap();
    }
    let tokens = |rid: Rid| Ok((rid.0 != 1).then(|| index_tokens(&["포도"])));
    assert_eq!(fold_todo(&shelf.conn, tokens).unwrap(), TODO_SLICE_ROWS);
    assert_eq!(fold_todo(&shelf.conn, tokens).unwrap(), 1);
    assert_eq!(fold_todo(&shelf.conn, tokens).unwrap(), 0);
    let count = |term: &str| -> i64 {
        shelf.conn.query_row("SELECT count(*) FROM fts WHERE fts MATCH ?1", [term], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("사과"), count("포도")), (0, last - 1));
}

#[test]
fn hostile_texts_are_words_or_refused() {
    let shelf = Shelf::of([(1, "apple or pear"), (2, "it's 100% \"new\" (not used)"), (3, "col:t near 5.5")]);
    let long = "a\"' OR 1=1 -- ".repeat(1_000);
    let deep = "(".repeat(60);
    for (text, expect) in [
        ("apple OR nothing", Ok(vec![])),
        ("apple or pear", Ok(vec![1])),
        ("\"apple", Ok(vec![1])),
        ("apple\" OR \"new", Ok(vec![])),
        ("it's", Ok(vec![2])),
        ("'; DROP TABLE fts; --", Ok(vec![])),
        ("NOT used", Ok(vec![2])),
        ("t:near", Ok(vec![3])),
        ("NEAR(col t, 5)", Ok(vec![])),
        ("{t} : near", Ok(vec![3])),
        ("^col*", Ok(vec![3])),
        ("5.5", Ok(vec![3])),
        ("new\0used", Ok(vec![2])),
        ("\u{E000}22\u{E000}", Ok(vec![])),
        ("\u{FEFF}\u{202E}apple\u{200D}", Ok(vec![1])),
        ("", Err("search.empty")),
        ("\0", Err("search.empty")),
        ("\"\"\"", Err("search.empty")),
        ("%_*^{}:", Err("search.empty")),
        (&deep, Err("search.empty")),
        (&long, Err("search.too_long")),
        ("a b c d e f g h i", Err("search.too_many_words")),
    ] {
        let found = Query::parse(text).map(|_| shelf.find(text)).map_err(|error| error.code());
        assert_eq!(found, expect, "{text:?}");
    }
    assert_eq!(shelf.find("apple"), [1], "the table is still there");
}

/// `souk_text::fts5::KEPT` says what `unicode61` keeps whole; this SQLite is asked about each character.
#[test]
fn kept_characters_are_kept() {
    let shelf = Shelf::of([]);
    let ask = |expression: &str| -> Result<i64> {
        shelf.conn.query_row("SELECT count(*) FROM fts WHERE fts MATCH ?1", [expression], |row| row.get(0))
    };
    assert!(ask("\"a.b\"").is_err(), "a token that is cut is a phrase, which detail=none does not know");
    let special = ['\u{E000}', '\u{E001}']; // what stands for all other characters
    let kept = fts5::KEPT.iter().flat_map(|(first, last)| *first..=*last).chain(special);
    let tokens: Vec<String> = kept.map(|c| format!("\"a{c}b\"")).collect();
    for some in tokens.chunks(100) {
        assert_eq!(ask(&some.join(" AND ")), Ok(0), "{some:?}");
    }
}

#[test]
fn no_sorting() {
    let shelf = Shelf::of([]);
    let mut statement = shelf.conn.prepare(&format!("EXPLAIN QUERY PLAN {CANDIDATES}")).unwrap();
    let plan: Vec<String> =
        statement.query_map(("a", 0), |row| row.get(3)).unwrap().map(|step| step.unwrap()).collect();
    assert_eq!(plan.len(), 1, "{plan:?}");
    assert!(plan[0].starts_with("SCAN fts VIRTUAL TABLE"), "{plan:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SQLite finds exactly what `Query::matches` and the recheck say: phone and server agree.
    #[test]
    fn agrees_with_matches(
        titles in proptest::collection::vec("[가나다노이즈茶アｱaAés15.\u{E48} '/_,-]{1,14}", 1..12),
        text in "[가나다노이즈茶アｱaAés15.\u{E48} '/_,-]{1,8}",
    ) {
        let Ok(query) = Query::parse(&text) else { return Ok(()) };
        let shelf = Shelf::of(titles.iter().enumerate().map(|(i, title)| (i as i64, title.as_str())));
        let expect: Vec<i64> = shelf
            .titles
            .iter()
            .filter(|(_, title)| {
                let tokens: BTreeSet<String> = index_tokens(&[title]).into_iter().collect();
                query.matches(&tokens) && query.recheck(title)
            })
            .map(|(rid, _)| rid.0)
            .collect();
        prop_assert_eq!(shelf.find(&text), expect);
    }

    /// Whatever is typed is answered.
    #[test]
    fn anything_is_answered(text in ".{0,70}") {
        let shelf = Shelf::of([(1, text.as_str())]);
        if Query::parse(&text).is_ok() {
            prop_assert_eq!(shelf.find(&text), [1]);
        }
    }
}
