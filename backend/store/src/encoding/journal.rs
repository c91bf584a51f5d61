//! Transfers as columns of the journal (spec/money.md 5.2).

use souk_domain::id::{Bucket, DerivedId};
use souk_domain::ledger::{Posting, Transfer, TransferKind};
use souk_domain::time::Time;

use super::{Cell, Cells, bad, read_currency};
use crate::StoreError;

/// The columns of a transfer behind its bucket, in the order of `table::JOURNAL_COLUMNS`.
pub(crate) fn transfer(of: &Transfer) -> Result<Vec<Cell<'_>>, StoreError> {
    Ok(vec![
        Cell::unsigned(of.seq)?,
        Cell::bytes(of.transfer_id.bytes()),
        Cell::Int(of.kind.number().into()),
        Cell::text(of.currency.code()),
        Cell::Int(of.posting.number().into()),
        Cell::Int(of.flags.into()),
        Cell::bytes(of.debit.bytes()),
        Cell::bytes(of.credit.bytes()),
        Cell::Int(of.amount),
        of.pending_id.as_ref().map_or(Cell::Null, |id| Cell::bytes(id.bytes())),
        Cell::bytes(&of.intent_id),
        Cell::bytes(&of.ref_id),
        of.deadline.map_or(Cell::Null, Cell::time),
        Cell::time(of.at),
        Cell::Int(of.debit_balance_after),
        Cell::Int(of.credit_balance_after),
        Cell::bytes(&of.hash),
    ])
}

/// Reads a transfer from its columns.
pub(crate) fn read_transfer(bucket: Bucket, cells: &mut Cells<'_>) -> Result<Transfer, StoreError> {
    Ok(Transfer {
        bucket,
        seq: cells.number()?,
        transfer_id: cells.parsed(DerivedId::from_bytes)?,
        kind: TransferKind::from_number(cells.number()?).ok_or_else(|| bad("kind of a transfer"))?,
        currency: read_currency(cells)?,
        posting: Posting::from_number(cells.number()?).ok_or_else(|| bad("posting of a transfer"))?,
        flags: cells.number()?,
        debit: cells.parsed(DerivedId::from_bytes)?,
        credit: cells.parsed(DerivedId::from_bytes)?,
        amount: cells.int()?,
        pending_id: match cells.bytes_or_null()? {
            None => None,
            Some(id) => {
                let id = id.try_into().map_err(|_| bad("an id"))?;
                Some(DerivedId::from_bytes(id).map_err(|_| bad("an id"))?)
            }
        },
        intent_id: cells.array()?,
        ref_id: cells.array()?,
        deadline: cells.int_or_null()?.map(Time::from_micros),
        at: cells.time()?,
        debit_balance_after: cells.int()?,
        credit_balance_after: cells.int()?,
        hash: cells.array()?,
    })
}
