use expect_test::expect;
use souk_domain::ledger::{AccountCode, AccountRef, TransferKind};

use super::*;
use crate::views::samples::{ID, at, id};

fn account(code: AccountCode) -> Account {
    let owner = *id::<ShopId>(ID).bytes();
    Account::opened(&AccountRef::new(code, owner, id::<ShopId>(ID).bucket(), Currency::KRW))
}

fn transfer(debit: &Account, credit: &Account) -> Transfer {
    Transfer {
        bucket: debit.bucket(),
        seq: 12,
        transfer_id: debit.id,
        kind: TransferKind::Post,
        currency: Currency::KRW,
        posting: Posting::Released,
        flags: 0,
        debit: debit.id,
        credit: credit.id,
        amount: 12_790,
        pending_id: None,
        intent_id: [1; 16],
        ref_id: *id::<ShopId>(ID).bytes(),
        deadline: None,
        at: at(9),
        debit_balance_after: 100,
        credit_balance_after: 20_000,
        hash: [0; 32],
    }
}

/// The sign says whether the account holds more or less than before, whichever side it grows on.
#[test]
fn sign_follows_the_side_on_which_an_account_grows() {
    let (pending, escrow) = (account(AccountCode::SellerPending), account(AccountCode::OrderEscrow));
    let owed = account(AccountCode::SellerReceivable);
    let line = |debit: &Account, credit: &Account, of: &Account| {
        let line = StatementLineView::of(&transfer(debit, credit), of)?;
        Some((line.amount.minor, line.balance.0.minor))
    };
    assert_eq!(line(&escrow, &pending, &pending), Some((12_790, 20_000)));
    assert_eq!(line(&escrow, &pending, &escrow), Some((-12_790, 100)));
    assert_eq!(line(&owed, &pending, &owed), Some((12_790, 100)));
    assert_eq!(line(&pending, &owed, &owed), Some((-12_790, 20_000)));
    assert_eq!(line(&escrow, &pending, &owed), None);
}

#[test]
fn forms_on_the_wire() {
    let (pending, escrow) = (account(AccountCode::SellerPending), account(AccountCode::OrderEscrow));
    let line = StatementLineView::of(&transfer(&escrow, &pending), &pending).unwrap();
    let response = StatementResponse { now: at(9), lines: vec![line], next: None };
    let text = serde_json::to_string(&response).unwrap();
    expect![[r#"{"now":1795348809000000,"lines":[{"seq":12,"at":1795348809000000,"transfer":"01a16827a566b2f22b354b122431192d","account":"seller_pending","posting":4,"amount":{"minor":12790,"currency":"KRW"},"balance":{"minor":"20000","currency":"KRW"},"subject":"01a20320a20076858b22334455667788"}]}"#]].assert_eq(&text);
    assert_eq!(serde_json::from_str::<StatementResponse>(&text).unwrap(), response);
    let sum = |minor| Balance(Money::new(minor, Currency::KRW));
    let response = BalanceResponse {
        now: at(9),
        shop: id(ID),
        currency: Currency::KRW,
        escrow: sum(i64::MAX),
        pending: sum(12_790),
        available: sum(0),
        owed: sum(0),
    };
    let text = serde_json::to_string(&response).unwrap();
    expect![[r#"{"now":1795348809000000,"shop":"01a20320a20076858b22334455667788","currency":"KRW","escrow":{"minor":"9223372036854775807","currency":"KRW"},"pending":{"minor":"12790","currency":"KRW"},"available":{"minor":"0","currency":"KRW"},"owed":{"minor":"0","currency":"KRW"}}"#]].assert_eq(&text);
    assert_eq!(serde_json::from_str::<BalanceResponse>(&text).unwrap(), response);
}
