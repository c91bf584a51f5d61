//! Reading and writing the members of a JSON object one by one, so that a refusal names its field.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use souk_domain::outcome::Refusal;

/// `intent.form` with the path of the field that is wrong.
pub(super) fn form(field: impl Into<String>) -> Refusal {
    Refusal::new("intent.form").with("field", field.into())
}

/// The members of an object that have not been read yet.
pub(super) struct Fields {
    /// Path of the object with a dot behind it; empty for the text itself.
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// Opens an object that stands at `path`.
    pub(super) fn of(path: String, value: Value) -> Result<Fields, Refusal> {
        match value {
            Value::Object(members) => Ok(Fields::new(path, members)),
            _ => Err(form(path)),
        }
    }

    /// Opens the members of an object that stands at `path`.
    pub(super) fn new(path: String, members: Map<String, Value>) -> Fields {
        let path = if path.is_empty() { path } else { path + "." };
        Fields { path, members }
    }

    /// A member that must be there.
    pub(super) fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Refusal> {
        self.maybe(name)?.ok_or_else(|| form(format!("{}{name}", self.path)))
    }

    /// A member that may be absent.
    pub(super) fn maybe<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.members.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| form(format!("{}{name}", self.path)))
    }

    /// A member that counts as empty when it is absent.
    pub(super) fn or_default<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T, Refusal> {
        Ok(self.maybe(name)?.unwrap_or_default())
    }

    /// An object inside, if it is there.
    pub(super) fn nested(&mut self, name: &str) -> Result<Option<Fields>, Refusal> {
        let path = format!("{}{name}", self.path);
        self.members.remove(name).map(|value| Fields::of(path, value)).transpose()
    }

    /// A list of objects.
    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Fields>, Refusal> {
        let path = format!("{}{name}", self.path);
        match self.members.remove(name) {
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(i, item)| Fields::of(format!("{path}[{i}]"), item))
                .collect(),
            _ => Err(form(path)),
        }
    }

    /// Bytes in base64url; absent = none.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Refusal> {
        let text: String = self.or_default(name)?;
        crate::base64url::decode(&text).ok_or_else(|| form(format!("{}{name}", self.path)))
    }

    /// No member may be left: unknown ones are refused.
    pub(super) fn end(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            Some(name) => Err(form(format!("{}{name}", self.path))),
            None => Ok(()),
        }
    }
}

/// The members of an object to be written.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn new() -> Members {
        Members(Map::new())
    }

    /// A member. The one thing that cannot be written is an amount above 2^53 - 1.
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refusal> {
        let value = serde_json::to_value(value)
            .map_err(|_| Refusal::new("money.range").with("field", name.to_owned()))?;
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// A member that may be absent.
    pub(super) fn put_some<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> Result<(), Refusal> {
        value.map_or(Ok(()), |value| self.put(name, value))
    }

    /// A member that is left out when it is empty.
    pub(super) fn put_unless<T: Serialize + PartialEq + Default>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), Refusal> {
        if *value == T::default() { Ok(()) } else { self.put(name, value) }
    }

    /// Bytes in base64url; left out when there are none.
    pub(super) fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.is_empty() { Ok(()) } else { self.put(name, &crate::base64url::encode(bytes)) }
    }

    pub(super) fn done(self) -> Map<String, Value> {
        self.0
    }
}
