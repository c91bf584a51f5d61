//! The edges of the encoding; that every kind survives a store stands in `tests/conformance`.

use proptest::prelude::*;
use souk_domain::id::DeviceId;
use souk_domain::rows::Key;

use super::*;
use crate::table::table;

/// What a store does with a row: key and columns away, the same columns back.
fn stored(row: &Row) -> Result<Row, StoreError> {
    let key: Key = row.key();
    let table = table(row.kind());
    let mut cells = columns(row)?;
    if table.has_body {
        cells.drain(..table.columns.len());
    } else {
        cells.splice(0..0, table.key_cells(&key)?);
    }
    let kept: Vec<Cell<'_>> = cells.iter().map(borrowed).collect();
    super::row(row.kind(), key.bucket, &mut Cells::new(kept))
}

fn borrowed<'c>(cell: &'c Cell<'_>) -> Cell<'c> {
    match cell {
        Cell::Null => Cell::Null,
        Cell::Int(number) => Cell::Int(*number),
        Cell::Text(text) => Cell::text(text),
        Cell::Bytes(bytes) => Cell::bytes(bytes),
    }
}

fn part(seq: u64, sum: u64, rows: u64) -> Row {
    Row::ScopePart(ScopePart { bucket: Bucket::PUBLIC, scope: Scope::Catalogue, seq, sum, rows })
}

/// Counters fit a signed 64-bit column; sums wrap and keep their bits.
#[test]
fn counters_end_where_a_store_ends() {
    let last = i64::MAX.cast_unsigned();
    let row = part(last, u64::MAX, last);
    assert_eq!(stored(&row).unwrap(), row);
    assert!(matches!(stored(&part(last + 1, 0, 0)), Err(StoreError::Tripwire(_))));
    assert!(matches!(stored(&part(0, 0, last + 1)), Err(StoreError::Tripwire(_))));
}

/// Columns of other types, lengths and numbers than a kind has.
#[test]
fn columns_that_do_not_fit_are_errors() {
    let text = |text: &'static str| Cell::text(text);
    let check = |kind, cells: Vec<Cell<'static>>| {
        let result = row(kind, Bucket::PUBLIC, &mut Cells::new(cells));
        assert!(matches!(result, Err(StoreError::Row(_))), "{kind:?}: {result:?}");
    };
    check(RowKind::Order, vec![]);
    check(RowKind::Order, vec![text("")]);
    check(RowKind::Order, vec![text("{\"id\":\"Kim\"}")]);
    check(RowKind::Order, vec![Cell::Int(1)]);
    check(RowKind::ScopePart, vec![text("cat/none"), Cell::Int(1), Cell::Int(1), Cell::Int(1)]);
    check(RowKind::ScopePart, vec![text("cat/all"), Cell::Int(-1), Cell::Int(1), Cell::Int(1)]);
    check(RowKind::ScopeOf, vec![text("cat/all"), Cell::Int(1024)]);
    check(RowKind::Inbox, vec![Cell::Int(65_536), Cell::Int(1)]);
    let id = || Cell::bytes(&[7; 16]);
    check(RowKind::Stream, vec![id(), Cell::Int(1), Cell::Int(5), Cell::Int(1), Cell::Int(1)]);
    check(RowKind::Timer, vec![Cell::Int(1), id(), Cell::Int(0), Cell::Int(1)]);
    check(RowKind::Timer, vec![Cell::Int(1), Cell::bytes(&[7; 15]), Cell::Int(1), Cell::Int(1)]);
}

/// A body that cannot be read is not quoted: it may hold names and addresses.
#[test]
fn errors_do_not_quote_rows() {
    let cells = vec![Cell::text("{\"order\":\"Kim Min-ji, 12-3 Haeundae-ro\"}")];
    let error = row(RowKind::Address, Bucket::PUBLIC, &mut Cells::new(cells)).unwrap_err().to_string();
    assert!(error.starts_with("store.row: body of a row of Address"), "{error}");
    assert!(!error.contains("Kim"), "{error}");
}

proptest! {
    #[test]
    fn numbers_survive(device in any::<[u8; 16]>(), epoch: u32, lane in 0..5u8, last in 0..=i64::MAX, due: i64, generation: u32) {
        let stream = Row::Stream(Stream {
            bucket: Bucket::PUBLIC,
            device: DeviceId::from_bytes(device).unwrap(),
            epoch,
            lane: Lane::from_number(lane).unwrap(),
            last: last.cast_unsigned(),
            reused: 0,
        });
        prop_assert_eq!(stored(&stream).unwrap(), stream);
        let timer = Row::Timer(Timer {
            bucket: Bucket::PUBLIC,
            due: souk_domain::time::Time::from_micros(due),
            entity: device,
            kind: TimerKind::Release,
            generation,
        });
        prop_assert_eq!(stored(&timer).unwrap(), timer);
    }

    /// Whatever stands in a file: a row or an error.
    #[test]
    fn any_columns_are_a_row_or_an_error(
        kind in 0..RowKind::ALL.len(),
        cells in prop::collection::vec(any_cell(), 0..20),
    ) {
        let cells = cells.iter().map(borrowed).collect();
        let _ = row(RowKind::ALL[kind], Bucket::PUBLIC, &mut Cells::new(cells));
    }
}

fn any_cell() -> impl Strategy<Value = Cell<'static>> {
    prop_oneof![
        Just(Cell::Null),
        any::<i64>().prop_map(Cell::Int),
        (0..20i64).prop_map(Cell::Int),
        ".{0,20}".prop_map(|text| Cell::Text(Cow::Owned(text))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Cell::Bytes(Cow::Owned(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| Cell::Bytes(Cow::Owned(bytes.to_vec()))),
    ]
}
