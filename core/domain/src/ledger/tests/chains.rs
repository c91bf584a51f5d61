//! The chains of spec/money.md 4.3, leg by leg.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::ledger::postings::*;
use crate::money::{Bp, Ppm};
use crate::num::Rounding;

const RATES: CapturedRates = CapturedRates {
    commission: Bp(500),
    service_fee: Bp(0),
    tax: Ppm(200_000),
    tax_rounding: Rounding::HalfEven,
};

fn legs(chain: &Chain) -> String {
    let mut text = format!("P{}\n", chain.posting().number());
    for leg in chain.legs() {
        text += &format!(
            "{} -> {} {}\n",
            leg.debit.code.number(),
            leg.credit.code.number(),
            leg.amount.decimal()
        );
    }
    text
}

fn check(chain: Result<Chain, LedgerError>, expected: Expect) {
    expected.assert_eq(&chain.map_or_else(|error| error.code().to_owned(), |chain| legs(&chain)));
}

fn funds(pending: i64, available: i64, reserve: i64, deposit: i64, owed: i64) -> SellerFunds {
    SellerFunds {
        pending: eur(pending),
        available: eur(available),
        reserve: eur(reserve),
        deposit: eur(deposit),
        owed: eur(owed),
    }
}

fn fees(commission: i64, service: i64, tax: i64) -> LineFees {
    LineFees { commission: eur(commission), service: eur(service), tax: eur(tax) }
}

#[test]
fn in_and_out_of_escrow() {
    let (event, other, refund) = (derived(1), derived(2), derived(3));
    check(
        captured(order(), RAIL, eur(1000)),
        expect![[r#"
        P1
        1000 -> 2100 10.00
    "#]],
    );
    check(
        unapplied_arrived(event, RAIL, eur(400)),
        expect![[r#"
        P2
        1000 -> 2130 4.00
    "#]],
    );
    check(
        unapplied_completes(order(), &[(event, eur(400)), (other, eur(600))]),
        expect![[r#"
        P2
        2130 -> 2100 4.00
        2130 -> 2100 6.00
    "#]],
    );
    check(
        unapplied_refunded(event, refund, eur(400)),
        expect![[r#"
        P2
        2130 -> 2120 4.00
    "#]],
    );
    check(
        unapplied_returned(event, refund, RAIL, eur(400)),
        expect![[r#"
        P2
        1000 -> 2130 4.00
        2130 -> 2120 4.00
    "#]],
    );
    check(
        refund_before_shipping(order(), refund, eur(1000)),
        expect![[r#"
        P3
        2100 -> 2120 10.00
    "#]],
    );
    check(
        refund_from_escrow(order(), refund, eur(250)),
        expect![[r#"
        P5
        2100 -> 2120 2.50
    "#]],
    );
    check(
        refund_paid(refund, RAIL, eur(250)),
        expect![[r#"
        P105
        2120 -> 1000 2.50
    "#]],
    );
    check(captured(order(), RAIL, eur(0)), expect!["ledger.chain_empty"]);
    check(captured(order(), RAIL, eur(-5)), expect!["ledger.amount"]);
    check(unapplied_completes(order(), &[]), expect!["ledger.chain_empty"]);
    let elsewhere = DerivedId::derived(Bucket::new(3).unwrap(), &[0; 32]);
    check(refund_from_escrow(order(), elsewhere, eur(1)), expect!["ledger.bucket"]);
}

/// The worked example of spec/money.md 4.3.
#[test]
fn release_worked_example() {
    let rates = CapturedRates { commission: Bp(300), service_fee: Bp(60), tax: Ppm(100_000), ..RATES };
    let line = ReleasedLine { amount: eur(10_000), fees: rates.of(eur(10_000)).unwrap() };
    assert_eq!(line.fees, fees(300, 60, 36));
    let courier = Some((courier(), eur(500)));
    let release = Release { order: order(), seller: shop(), courier, authority: AUTHORITY, lines: &[line] };
    assert_eq!(release.seller_share(), Ok(eur(9104)));
    check(
        released(&release),
        expect![[r#"
        P4
        2100 -> 2200 91.04
        2100 -> 2300 5.00
        2100 -> 4000 3.00
        2100 -> 4010 0.60
        2100 -> 2400 0.36
    "#]],
    );

    let (mut head, mut book) = (JournalHead::empty(bucket()), Book::new());
    for chain in [captured(order(), RAIL, eur(10_000)), released(&release)] {
        post(&chain.unwrap(), &origin(1), &mut head, &mut book).unwrap();
    }
    assert_eq!(book[&escrow(order(), Currency::EUR).id()].balance(), eur(0));
}

/// Commission on goods, none on a shipping line that goes to the courier; fees per line, then summed.
#[test]
fn release_of_several_lines() {
    let line = |minor, rates: CapturedRates| ReleasedLine {
        amount: eur(minor),
        fees: rates.of(eur(minor)).unwrap(),
    };
    let lines = [line(30, RATES), line(30, RATES), line(10, RATES), line(490, CapturedRates::NONE)];
    let release = Release {
        order: order(),
        seller: shop(),
        courier: Some((courier(), eur(490))),
        authority: AUTHORITY,
        lines: &lines,
    };
    check(
        released(&release),
        expect![[r#"
        P4
        2100 -> 2200 0.66
        2100 -> 2300 4.90
        2100 -> 4000 0.04
    "#]],
    );
    check(
        released(&Release { courier: None, ..release }),
        expect![[r#"
        P4
        2100 -> 2200 5.56
        2100 -> 4000 0.04
    "#]],
    );
    let too_much = Release { courier: Some((courier(), eur(557))), ..release };
    check(released(&too_much), expect!["money.range"]);
    check(released(&Release { lines: &[], ..release }), expect!["ledger.chain_empty"]);
    let free = [ReleasedLine { amount: eur(0), fees: LineFees::zero(Currency::EUR) }];
    check(released(&Release { lines: &free, courier: None, ..release }), expect!["ledger.chain_empty"]);
    let won = [
        lines[0],
        ReleasedLine { amount: Money::new(1, Currency::KRW), fees: LineFees::zero(Currency::KRW) },
    ];
    check(released(&Release { lines: &won, ..release }), expect!["money.currency"]);
}

#[test]
fn refund_after_release_takes_from_the_seller_in_order() {
    let line = RefundedLine { amount: eur(1000), fees_back: fees(50, 0, 10) };
    let refund = |lines: &[RefundedLine], funds| {
        let of = RefundAfterRelease { refund: derived(3), seller: shop(), authority: AUTHORITY, lines };
        refund_after_release(&of, &funds)
    };
    check(
        refund(&[line], funds(5000, 0, 0, 0, 0)),
        expect![[r#"
        P8
        4000 -> 2120 0.50
        2400 -> 2120 0.10
        2200 -> 2120 9.40
    "#]],
    );
    let with_service = RefundedLine { amount: eur(1000), fees_back: fees(50, 20, 14) };
    check(
        refund(&[line, with_service], funds(100, 200, 300, 400, 0)),
        expect![[r#"
        P8
        4000 -> 2120 1.00
        2400 -> 2120 0.24
        4010 -> 2120 0.20
        2200 -> 2120 1.00
        2210 -> 2120 2.00
        2220 -> 2120 3.00
        2230 -> 2120 4.00
        1020 -> 2120 8.56
    "#]],
    );
    check(
        refund(&[line], funds(0, 0, 0, 0, 700)),
        expect![[r#"
        P8
        4000 -> 2120 0.50
        2400 -> 2120 0.10
        1020 -> 2120 9.40
    "#]],
    );
    // Two fees round up on one unit: what the buyer does not get of them is the seller's.
    check(
        refund(&[RefundedLine { amount: eur(1), fees_back: fees(1, 0, 1) }], funds(0, 0, 0, 0, 0)),
        expect![[r#"
        P8
        4000 -> 2120 0.01
        2400 -> 2210 0.01
    "#]],
    );
    check(refund(&[], funds(0, 0, 0, 0, 0)), expect!["ledger.chain_empty"]);
    check(
        credit_note(derived(3), shop(), eur(700), &funds(0, 300, 0, 0, 0)),
        expect![[r#"
        P12
        2210 -> 2120 3.00
        1020 -> 2120 4.00
    "#]],
    );
}

#[test]
fn reserve_end_and_netting() {
    let ended = |share, kept, funds| reserve_ended(shop(), eur(share), Bp(kept), &funds).transpose();
    let check = |chain: Option<Result<Chain, LedgerError>>, expected: Expect| {
        check(chain.unwrap(), expected);
    };
    check(
        ended(900, 0, funds(900, 0, 0, 0, 0)),
        expect![[r#"
        P9
        2200 -> 2210 9.00
    "#]],
    );
    check(
        ended(900, 500, funds(5000, 0, 0, 0, 0)),
        expect![[r#"
        P9
        2200 -> 2210 8.55
        2200 -> 2220 0.45
    "#]],
    );
    // A refund has taken of 2200 meanwhile; what the seller owes is netted, also from what stood there before.
    check(
        ended(900, 0, funds(400, 100, 0, 0, 450)),
        expect![[r#"
        P9
        2200 -> 2210 4.00
        2210 -> 1020 4.50
    "#]],
    );
    check(
        ended(900, 0, funds(400, 100, 0, 0, 800)),
        expect![[r#"
        P9
        2200 -> 2210 4.00
        2210 -> 1020 5.00
    "#]],
    );
    check(
        ended(900, 0, funds(0, 100, 0, 0, 800)),
        expect![[r#"
        P9
        2210 -> 1020 1.00
    "#]],
    );
    check(
        ended(900, 20_000, funds(900, 0, 0, 0, 0)),
        expect![[r#"
        P9
        2200 -> 2220 9.00
    "#]],
    );
    assert_eq!(ended(900, 0, funds(0, 0, 0, 0, 800)), None);
    assert_eq!(ended(0, 0, funds(900, 0, 0, 0, 0)), None);
}

/// Three refunds of 33.33 on a line of 99.99 with commission 3.00 reverse 1.00 each (spec/money.md 1).
#[test]
fn part_reversals() {
    let captured = fees(300, 0, 60);
    let step = |before, after| captured.reversal(eur(before), eur(after), eur(9999));
    for (before, after) in [(0, 3333), (3333, 6666), (6666, 9999)] {
        assert_eq!(step(before, after), Ok(fees(100, 0, 20)));
    }
    assert_eq!(step(0, 10_000).map_err(|error| error.code()), Err("money.range"));
    let won = captured.reversal(eur(0), Money::new(1, Currency::KRW), eur(9999));
    assert_eq!(won.map_err(|error| error.code()), Err("money.currency"));
}

fn any_rates() -> impl Strategy<Value = CapturedRates> {
    (0..3000u32, 0..500u32, 0..300_000i64).prop_map(|(commission, service, tax)| CapturedRates {
        commission: Bp(commission),
        service_fee: Bp(service),
        tax: Ppm(tax),
        tax_rounding: Rounding::HalfUp,
    })
}

proptest! {
    /// Released in any pieces, a line is charged no more than in one; and the same, when the last piece can hold it.
    #[test]
    fn pieces_are_charged_like_the_whole(rates in any_rates(), pieces in prop::collection::vec(1..2000i64, 1..12)) {
        let (mut taken, mut released) = (LineFees::zero(Currency::EUR), eur(0));
        for piece in pieces.iter().map(|minor| eur(*minor)) {
            released = released.add(piece).unwrap();
            let fees = rates.due(released, &taken, piece).unwrap();
            prop_assert!(fees.sum().unwrap().minor <= piece.minor);
            taken = taken.add(&fees).unwrap();
        }
        let whole = rates.of(released).unwrap();
        prop_assert!(taken.sum().unwrap().minor <= whole.sum().unwrap().minor);
        if pieces.last().is_some_and(|last| *last >= 10) {
            prop_assert_eq!(taken, whole);
        }
    }

    /// Whatever the split: the buyer gets exactly the refund, and a line refunded in full has cost the seller
    /// nothing in fees.
    #[test]
    fn refunds_in_pieces_reverse_exactly_the_fees(
        rates in any_rates(),
        pieces in prop::collection::vec(1..500i64, 1..10),
        stock in 0..3000i64,
    ) {
        let released_sum = eur(pieces.iter().sum());
        let captured = rates.of(released_sum).unwrap();
        let (mut before, mut back) = (eur(0), LineFees::zero(Currency::EUR));
        let mut flows: BTreeMap<u16, i64> = BTreeMap::new();
        for piece in pieces.iter().map(|minor| eur(*minor)) {
            let after = before.add(piece).unwrap();
            let fees_back = captured.reversal(before, after, released_sum).unwrap();
            let lines = [RefundedLine { amount: piece, fees_back }];
            let of = RefundAfterRelease { refund: derived(3), seller: shop(), authority: AUTHORITY, lines: &lines };
            let chain = refund_after_release(&of, &funds(stock / 2, stock / 3, 0, 0, 0)).unwrap();
            for leg in chain.legs() {
                *flows.entry(leg.debit.code.number()).or_default() -= leg.amount.minor;
                *flows.entry(leg.credit.code.number()).or_default() += leg.amount.minor;
            }
            (before, back) = (after, back.add(&fees_back).unwrap());
        }
        prop_assert_eq!(back, captured);
        let flow = |code| flows.get(&code).copied().unwrap_or_default();
        prop_assert_eq!(flow(2120), released_sum.minor);
        prop_assert_eq!((-flow(4000), -flow(4010), -flow(2400)), (captured.commission.minor, captured.service.minor, captured.tax.minor));
    }
}
