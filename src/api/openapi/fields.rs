//! The fields of bodies and queries, and their schemas.

use utoipa::openapi::schema::{
    Array, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldType {
    Text,
    Email,
    Password,
    Gender,
    /// A date; in a body `null` means none.
    Day,
    Flag,
    Number,
    Numbers,
}

impl FieldType {
    pub(super) fn schema(self) -> Schema {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let known = |format| text().format(Some(SchemaFormat::KnownFormat(format))).into();
        match self {
            Self::Text => text().into(),
            Self::Email => known(KnownFormat::Email),
            Self::Password => known(KnownFormat::Password),
            Self::Gender => text().enum_values(Some(["", "male", "female"])).into(),
            Self::Day => known(KnownFormat::Date),
            Self::Flag => Object::with_type(Type::Boolean).into(),
            Self::Number => Object::with_type(Type::Integer).into(),
            Self::Numbers => Array::new(Object::with_type(Type::Integer)).into(),
        }
    }
}

/// A field of a body or of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpec {
    pub(super) name: &'static str,
    pub(super) kind: FieldType,
    pub(super) is_required: bool,
}

/// Returns a required field.
pub(crate) fn required(name: &'static str, kind: FieldType) -> FieldSpec {
    FieldSpec { name, kind, is_required: true }
}

/// Returns an optional field.
pub(crate) fn optional(name: &'static str, kind: FieldType) -> FieldSpec {
    FieldSpec { name, kind, is_required: false }
}
