use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use souk_domain::scope::EntityKind;
use souk_domain::time::Time;

use super::*;
use crate::limits::{
    CURSOR_CHARS_MAX, PULL_BYTES_DEFAULT, PULL_BYTES_MAX, PULL_SCOPES_MAX, PUSH_BYTES_HARD_MAX,
    PUSH_BYTES_MAX, PUSH_ITEMS_MAX, SCOPE_CHARS_MAX, TOUCH_MAX,
};
use crate::outcome::OutcomeView;

/// Writes, compares with what is expected, reads back.
fn check<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
    expect: Expect,
) {
    let text = serde_json::to_string(value).unwrap();
    expect.assert_eq(&text);
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
}

fn bucket() -> Bucket {
    Bucket::new(417).unwrap()
}

fn item() -> IntentItem {
    IntentItem {
        lane: Lane::Order,
        bucket: bucket(),
        pos: 12,
        signed: SignedText {
            text: "{\"account\":1}".into(),
            bin: vec![1, 2, 3],
            sig: Some(Sig { alg: 0, key: [0x39; 8], s: [7; 64] }),
        },
    }
}

fn void() -> VoidItem {
    VoidItem {
        lane: Lane::Chat,
        bucket: bucket(),
        pos: 4,
        id: "01a20320a20076858b22334455667788".parse().unwrap(),
        hash: [0x9b; 32],
        void: VoidMark,
    }
}

#[test]
fn push_forms() {
    let bare = IntentItem { signed: SignedText { bin: vec![], sig: None, ..item().signed }, ..item() };
    let request = PushRequest {
        v: VERSION,
        app: "android/1.4.0".into(),
        epoch: 2,
        generation: 7,
        items: vec![
            PushItem::Intent(item()),
            PushItem::Intent(bare),
            PushItem::Void(void()),
            PushItem::Malformed(json!({"lane": "order", "text": 5})),
            PushItem::Malformed(json!(17)),
        ],
    };
    check(
        &request,
        expect![[
            r#"{"v":1,"app":"android/1.4.0","epoch":2,"gen":7,"items":[{"lane":"order","bucket":417,"pos":12,"text":"{\"account\":1}","bin":"AQID","sig":{"alg":0,"key":"3939393939393939","s":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw"}},{"lane":"order","bucket":417,"pos":12,"text":"{\"account\":1}"},{"lane":"chat","bucket":417,"pos":4,"id":"01a20320a20076858b22334455667788","hash":"9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b","void":true},{"lane":"order","text":5},17]}"#
        ]],
    );
    let id = Some(void().id);
    let result = |state| PushResult { id, state };
    let response = PushResponse {
        generation: 7,
        now: Time::from_micros(1_795_348_801_000_000),
        results: vec![
            result(PushState::Decided {
                outcome: OutcomeView::Rejected { code: "shop.closed".into(), data: Map::new() },
            }),
            result(PushState::Decided { outcome: OutcomeView::Withdrawn }),
            result(PushState::Conflict),
            result(PushState::Later { after_ms: 1_500 }),
            result(PushState::Fork { last: 11 }),
            PushResult { id: None, state: PushState::Refused { code: "intent.form".into() } },
        ],
        slow: vec![Slow { lane: Lane::Bulk, after_ms: 5_000 }],
        touch: vec![Touch { bucket: bucket(), seq: 90_311 }],
    };
    check(
        &response,
        expect![[
            r#"{"gen":7,"now":1795348801000000,"results":[{"id":"01a20320a20076858b22334455667788","state":"decided","outcome":{"is":"rejected","code":"shop.closed"}},{"id":"01a20320a20076858b22334455667788","state":"decided","outcome":{"is":"withdrawn"}},{"id":"01a20320a20076858b22334455667788","state":"conflict"},{"id":"01a20320a20076858b22334455667788","state":"later","after_ms":1500},{"id":"01a20320a20076858b22334455667788","state":"fork","last":11},{"state":"refused","code":"intent.form"}],"slow":[{"lane":"bulk","after_ms":5000}],"touch":[[417,90311]]}"#
        ]],
    );
}

/// One broken item is an item of its own and spoils no other.
#[test]
fn one_bad_item_blocks_nothing() {
    let good = serde_json::to_value(PushItem::Intent(item())).unwrap();
    for (name, value) in [
        ("lane", json!("fast")),
        ("bucket", json!(1024)),
        ("pos", json!(-1)),
        ("text", json!(null)),
        ("bin", json!("***")),
        ("sig", json!({"alg": 0, "key": "39", "s": ""})),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        let request = json!({"v": 1, "app": "a", "epoch": 1, "gen": 1, "items": [good, bad, good]});
        let request: PushRequest = serde_json::from_value(request).unwrap();
        let kinds: Vec<bool> = request.items.iter().map(|item| matches!(item, PushItem::Intent(_))).collect();
        assert_eq!(kinds, [true, false, true], "{name}");
    }
    let mut not_void = serde_json::to_value(PushItem::Void(void())).unwrap();
    not_void["void"] = json!(false);
    assert!(matches!(serde_json::from_value(not_void), Ok(PushItem::Malformed(_))));
}

#[test]
fn push_limits() {
    let code = |items: usize, bytes: usize| {
        let request = PushRequest {
            v: 1,
            app: String::new(),
            epoch: 1,
            generation: 1,
            items: vec![PushItem::Void(void()); items],
        };
        request.check(bytes).map_err(|refusal| refusal.code)
    };
    assert_eq!(code(PUSH_ITEMS_MAX, PUSH_BYTES_MAX), Ok(()));
    assert_eq!(code(PUSH_ITEMS_MAX + 1, 10), Err("request.too_large"));
    assert_eq!(code(2, PUSH_BYTES_MAX + 1), Err("request.too_large"));
    assert_eq!(code(1, PUSH_BYTES_MAX + 1), Ok(()));
    assert_eq!(code(1, PUSH_BYTES_HARD_MAX), Ok(()));
    assert_eq!(code(1, PUSH_BYTES_HARD_MAX + 1), Err("request.too_large"));
    assert_eq!(code(0, 10), Ok(()));
}

#[test]
fn pull_forms() {
    let request = PullRequest {
        v: VERSION,
        schema: SCHEMA,
        app: "android/1.4.0".into(),
        epoch: 2,
        generation: 7,
        scopes: vec![
            ScopeAsked { id: "acct/01a2".into(), c: Some("AQUA".into()) },
            ScopeAsked { id: "cat/all".into(), c: None },
        ],
        touch: vec![Touch { bucket: bucket(), seq: 90_311 }],
        max_bytes: None,
    };
    check(
        &request,
        expect![[
            r#"{"v":1,"schema":1,"app":"android/1.4.0","epoch":2,"gen":7,"scopes":[{"id":"acct/01a2","c":"AQUA"},{"id":"cat/all"}],"touch":[[417,90311]]}"#
        ]],
    );
    let mut row = Map::new();
    row.insert("total".into(), json!(25_800));
    row.insert("word".into(), json!("paid"));
    let rows = RowsOf {
        puts: vec![Put { entity: EntityKind::Order, id: *void().id.bytes(), ver: 90_311, row }],
        removed: vec![Removed { entity: EntityKind::CartLine, id: [1; 16], ver: 90_312 }],
        unknown: 0,
    };
    let pulled = |id: &str, what| ScopePulled { id: id.into(), what };
    let response = PullResponse {
        generation: 7,
        now: Time::from_micros(1_795_348_802_000_000),
        scopes: vec![
            pulled(
                "acct/01a2",
                ScopeKind::Rows(RowsPage {
                    c: "AQUAAQID".into(),
                    more: false,
                    blocks: blocks(&rows),
                    applied: vec![Applied { epoch: 2, bucket: bucket(), lane: Lane::Order, last: 12 }],
                    sum: Some(Sum(0xdf15_37e5_04b2_aead)),
                    n: Some(41),
                }),
            ),
            pulled("ref/main", ScopeKind::Reset { why: ResetWhy::Gen }),
            pulled("cat/all", ScopeKind::Later { after_ms: 1_500 }),
            pulled("seller/01a2", ScopeKind::Gone),
        ],
    };
    check(
        &response,
        expect![[
            r#"{"gen":7,"now":1795348802000000,"scopes":[{"id":"acct/01a2","kind":"rows","c":"AQUAAQID","more":false,"blocks":[{"e":3,"op":"put","cols":["total","word"],"id":["01a20320a20076858b22334455667788"],"ver":[90311],"data":[[25800],["paid"]]},{"e":10,"op":"del","id":["01010101010101010101010101010101"],"ver":[90312]}],"applied":[[2,417,1,12]],"sum":"df1537e504b2aead","n":41},{"id":"ref/main","kind":"reset","why":"gen"},{"id":"cat/all","kind":"later","after_ms":1500},{"id":"seller/01a2","kind":"gone"}]}"#
        ]],
    );
    check(&Hint { s: "cat/all".into(), at: Some(5) }, expect![[r#"{"s":"cat/all","at":5}"#]]);
    check(&Hint { s: "cat/all".into(), at: None }, expect![[r#"{"s":"cat/all"}"#]]);
    assert_eq!(rows_of(blocks(&rows)), Ok(rows));
}

#[test]
fn pull_limits() {
    let request = |scopes: usize, id: usize, c: usize, touch: usize| PullRequest {
        v: 1,
        schema: 1,
        app: String::new(),
        epoch: 1,
        generation: 1,
        scopes: vec![ScopeAsked { id: "i".repeat(id), c: Some("c".repeat(c)) }; scopes],
        touch: vec![Touch { bucket: bucket(), seq: 1 }; touch],
        max_bytes: None,
    };
    let field = |request: PullRequest| request.check().map_err(|r| r.facts.text("field").map(str::to_owned));
    let too_large = |name: &str| Err(Some(name.to_owned()));
    assert_eq!(field(request(PULL_SCOPES_MAX, SCOPE_CHARS_MAX, CURSOR_CHARS_MAX, TOUCH_MAX)), Ok(()));
    assert_eq!(field(request(PULL_SCOPES_MAX + 1, 1, 1, 1)), too_large("scopes"));
    assert_eq!(field(request(1, SCOPE_CHARS_MAX + 1, 1, 1)), too_large("id"));
    assert_eq!(field(request(1, 1, CURSOR_CHARS_MAX + 1, 1)), too_large("c"));
    assert_eq!(field(request(1, 1, 1, TOUCH_MAX + 1)), too_large("touch"));
    let bytes = |max_bytes| PullRequest { max_bytes, ..request(1, 1, 1, 1) }.bytes_max();
    assert_eq!(bytes(None), PULL_BYTES_DEFAULT);
    assert_eq!(bytes(Some(PULL_BYTES_MAX + 1)), PULL_BYTES_MAX);
    assert_eq!(bytes(Some(7)), 7);
}

#[test]
fn broken_blocks_are_refused() {
    let good = Block {
        e: 3,
        op: BlockOp::Put,
        cols: vec!["a".into(), "b".into()],
        id: vec!["01".repeat(16)],
        ver: vec![1],
        data: vec![vec![json!(1)], vec![Value::Null]],
    };
    let rows = rows_of(vec![good.clone()]).unwrap();
    assert_eq!(rows.puts[0].row, json!({"a": 1}).as_object().unwrap().clone());
    let code = |change: fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        rows_of(vec![block]).map(|rows| rows.unknown).map_err(|refusal| refusal.code)
    };
    let bad = Err("sync.block");
    assert_eq!(code(|_| ()), Ok(0));
    assert_eq!(code(|block| block.e = 99), Ok(1));
    assert_eq!(code(|block| block.ver.clear()), bad);
    assert_eq!(code(|block| block.cols[0] = "b".into()), bad);
    assert_eq!(code(|block| drop(block.data.pop())), bad);
    assert_eq!(code(|block| block.data[1].clear()), bad);
    assert_eq!(code(|block| block.id[0] = "01".repeat(15)), bad);
    assert_eq!(code(|block| block.id[0] = "0g".repeat(16)), bad);
    assert_eq!(code(|block| block.op = BlockOp::Del), bad);
    let many = |rows: usize| Block {
        cols: vec![],
        data: vec![],
        id: vec!["01".repeat(16); rows],
        ver: vec![1; rows],
        ..good.clone()
    };
    assert!(rows_of(vec![many(crate::limits::PULL_ROWS_MAX)]).is_ok());
    assert!(rows_of(vec![many(crate::limits::PULL_ROWS_MAX), many(1)]).is_err());
}

fn rows() -> impl Strategy<Value = RowsOf> {
    let entity = prop::sample::select(EntityKind::ALL.to_vec());
    let row = prop::collection::btree_map("[a-e]", crate::canon::tests::values(), 0..5)
        .prop_map(|row| row.into_iter().collect::<Map<_, _>>());
    let puts = prop::collection::vec((entity.clone(), any::<[u8; 16]>(), any::<u64>(), row), 0..20);
    let removed = prop::collection::vec((entity, any::<[u8; 16]>(), any::<u64>()), 0..20);
    (puts, removed).prop_map(|(puts, removed)| RowsOf {
        puts: puts.into_iter().map(|(entity, id, ver, row)| Put { entity, id, ver, row }).collect(),
        removed: removed.into_iter().map(|(entity, id, ver)| Removed { entity, id, ver }).collect(),
        unknown: 0,
    })
}

proptest! {
    #[test]
    fn blocks_round_trip(mut rows in rows()) {
        let text = serde_json::to_string(&blocks(&rows)).unwrap();
        rows.puts.sort_by_key(|put| put.entity);
        rows.removed.sort_by_key(|gone| gone.entity);
        prop_assert_eq!(rows_of(serde_json::from_str(&text).unwrap()), Ok(rows));
    }

    #[test]
    fn garbage_is_an_item_of_its_own(value in crate::canon::tests::values()) {
        let item: PushItem = serde_json::from_value(value.clone()).unwrap();
        prop_assert_eq!(item, PushItem::Malformed(value));
    }

    #[test]
    fn garbage_never_panics(value in crate::canon::tests::values()) {
        let text = value.to_string();
        let _ = serde_json::from_str::<PushRequest>(&text);
        let _ = serde_json::from_str::<PullResponse>(&text);
        let _ = serde_json::from_str::<OutcomeView>(&text);
    }
}
