//! One column of a row, between the encoding and an adapter.

use std::borrow::Cow;

use souk_domain::time::Time;

use crate::StoreError;

/// A column's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number, a time or a flag.
    Int(i64),
    /// Text or JSON.
    Text(Cow<'a, str>),
    /// An id, a hash, bytes.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Cell<'a> {
    /// Bytes.
    pub(crate) fn bytes(bytes: &'a [u8]) -> Cell<'a> {
        Cell::Bytes(Cow::Borrowed(bytes))
    }

    /// Text.
    pub(crate) fn text(text: &'a str) -> Cell<'a> {
        Cell::Text(Cow::Borrowed(text))
    }

    /// Epoch microseconds.
    pub(crate) fn time(at: Time) -> Cell<'a> {
        Cell::Int(at.micros())
    }

    /// A counter; one beyond 2^63 - 1 is a bug, because no store can hold it.
    pub(crate) fn unsigned(number: u64) -> Result<Cell<'a>, StoreError> {
        let number = i64::try_from(number);
        number.map(Cell::Int).map_err(|_| StoreError::Tripwire("a counter is out of range".into()))
    }
}

/// The columns of a row that is being read, from first to last.
pub(crate) struct Cells<'a> {
    cells: std::vec::IntoIter<Cell<'a>>,
}

impl<'a> Cells<'a> {
    /// Reads these, in order.
    pub(crate) fn new(cells: Vec<Cell<'a>>) -> Cells<'a> {
        Cells { cells: cells.into_iter() }
    }

    /// An integer.
    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        self.int_or_null()?.ok_or_else(|| bad("an integer"))
    }

    /// An integer, or nothing.
    pub(crate) fn int_or_null(&mut self) -> Result<Option<i64>, StoreError> {
        match self.cells.next() {
            Some(Cell::Int(number)) => Ok(Some(number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(bad("an integer")),
        }
    }

    /// An integer in the range of a type.
    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        T::try_from(self.int()?).map_err(|_| bad("an integer in range"))
    }

    /// Epoch microseconds.
    pub(crate) fn time(&mut self) -> Result<Time, StoreError> {
        self.int().map(Time::from_micros)
    }

    /// Text.
    pub(crate) fn text(&mut self) -> Result<&'a str, StoreError> {
        match self.cells.next() {
            Some(Cell::Text(Cow::Borrowed(text))) => Ok(text),
            _ => Err(bad("text")),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        self.bytes_or_null()?.ok_or_else(|| bad("bytes"))
    }

    /// Bytes, or nothing.
    pub(crate) fn bytes_or_null(&mut self) -> Result<Option<&'a [u8]>, StoreError> {
        match self.cells.next() {
            Some(Cell::Bytes(Cow::Borrowed(bytes))) => Ok(Some(bytes)),
            Some(Cell::Null) => Ok(None),
            _ => Err(bad("bytes")),
        }
    }

    /// Bytes of a fixed length.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        self.bytes()?.try_into().map_err(|_| bad("bytes of a fixed length"))
    }

    /// Bytes of an id.
    pub(crate) fn parsed<T, E>(&mut self, parse: impl Fn([u8; 16]) -> Result<T, E>) -> Result<T, StoreError> {
        parse(self.array()?).map_err(|_| bad("an id"))
    }
}

fn bad(wanted: &str) -> StoreError {
    StoreError::Row(format!("a column does not hold {wanted}"))
}
