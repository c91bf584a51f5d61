//! The sandbox's own books: every movement is one entry, debit and credit, in minor units.
//!
//! Always: an entry has two different accounts and one positive amount (the schema says so too), so all accounts
//! together are zero; what is owed to the merchant is what came in less what went back.

use rusqlite::{Connection, params};
use serde::Serialize;
use souk_domain::money::{Balance, Currency, Money};
use souk_domain::time::Time;

use super::store::SandboxError;

/// An account of the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Account {
    /// What the provider holds at its bank: grows by debits.
    Cash,
    /// What the provider owes the merchant: grows by credits. Our account 1000 is its mirror.
    Merchant,
}

impl Account {
    fn name(self) -> &'static str {
        match self {
            Account::Cash => "cash",
            Account::Merchant => "merchant",
        }
    }
}

/// Money has come in; `subject` is the receipt.
pub(super) fn received(
    connection: &Connection,
    subject: &str,
    amount: Money,
    now: Time,
) -> Result<(), SandboxError> {
    post(connection, subject, Account::Cash, Account::Merchant, amount, now)
}

/// Money has gone back; `subject` is the refund.
pub(super) fn refunded(
    connection: &Connection,
    subject: &str,
    amount: Money,
    now: Time,
) -> Result<(), SandboxError> {
    post(connection, subject, Account::Merchant, Account::Cash, amount, now)
}

fn post(
    connection: &Connection,
    subject: &str,
    debit: Account,
    credit: Account,
    amount: Money,
    now: Time,
) -> Result<(), SandboxError> {
    let sql =
        "INSERT INTO entry (subject, debit, credit, minor, currency, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        subject,
        debit.name(),
        credit.name(),
        amount.minor,
        amount.currency.code(),
        now.micros()
    ])?;
    Ok(())
}

/// One currency of the books.
#[derive(Debug, Serialize)]
pub(super) struct CurrencyBooks {
    /// Debits less credits of cash.
    pub(super) cash: Balance,
    /// Credits less debits of the merchant.
    pub(super) merchant: Balance,
    /// The sum of all receipts.
    pub(super) received: Balance,
    /// The sum of all refunds that were done.
    pub(super) refunded: Balance,
    /// Cash = merchant = received - refunded.
    pub(super) balanced: bool,
}

/// Sums from the entries beside sums from the objects: two ways to one figure.
const BOOKS: &str = "
    SELECT c.currency,
      (SELECT COALESCE(SUM(CASE WHEN debit = 'cash' THEN minor ELSE -minor END), 0)
         FROM entry WHERE currency = c.currency AND 'cash' IN (debit, credit)),
      (SELECT COALESCE(SUM(CASE WHEN credit = 'merchant' THEN minor ELSE -minor END), 0)
         FROM entry WHERE currency = c.currency AND 'merchant' IN (debit, credit)),
      (SELECT COALESCE(SUM(r.minor), 0)
         FROM receipt r JOIN payment p ON p.id = r.payment WHERE p.currency = c.currency),
      (SELECT COALESCE(SUM(minor), 0) FROM refund WHERE currency = c.currency AND state = 'succeeded')
    FROM (SELECT DISTINCT currency FROM payment) c ORDER BY c.currency";

/// All currencies of the books.
pub(super) fn totals(connection: &Connection) -> Result<Vec<CurrencyBooks>, SandboxError> {
    let mut statement = connection.prepare_cached(BOOKS)?;
    let mut rows = statement.query([])?;
    let mut books = Vec::new();
    while let Some(row) = rows.next()? {
        let currency = currency(&row.get::<_, String>(0)?)?;
        let minor = |column| row.get::<_, i64>(column);
        let balance = |column| Ok::<_, SandboxError>(Balance(Money::new(minor(column)?, currency)));
        let (cash, merchant, net) = (minor(1)?, minor(2)?, minor(3)? - minor(4)?);
        books.push(CurrencyBooks {
            cash: balance(1)?,
            merchant: balance(2)?,
            received: balance(3)?,
            refunded: balance(4)?,
            balanced: cash == merchant && merchant == net,
        });
    }
    Ok(books)
}

/// The currency of a row.
pub(super) fn currency(code: &str) -> Result<Currency, SandboxError> {
    Currency::from_code(code).map_err(|_| SandboxError::Corrupt("currency"))
}
