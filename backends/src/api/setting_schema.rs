//! The `OpenAPI` schema of a configuration key, from the key table.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};

use crate::config::{Entry, Range, Shape};

/// The schema of the values that a key takes.
pub(super) fn of(entry: &Entry) -> RefOr<Schema> {
    let object = || ObjectBuilder::new().description(Some(entry.key.about));
    let optional = entry.key.unset.is_some();
    let kind = |kind: Type| {
        if optional { SchemaType::from_iter([kind, Type::Null]) } else { SchemaType::Type(kind) }
    };
    let strings = || ObjectBuilder::new().schema_type(Type::String);
    match entry.key.field.shape() {
        Shape::Flag => object().schema_type(kind(Type::Boolean)).into(),
        Shape::Number(range) => bounded(object(), &range).schema_type(kind(number_type(&range))).into(),
        Shape::NumberOrAuto(range) => {
            let number = bounded(ObjectBuilder::new(), &range).schema_type(number_type(&range));
            let auto = strings().enum_values(Some(["auto"]));
            OneOfBuilder::new().description(Some(entry.key.about)).item(number).item(auto).into()
        }
        Shape::CountOrShare => {
            let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            OneOfBuilder::new().description(Some(entry.key.about)).item(number).item(strings()).into()
        }
        Shape::Percentile => {
            let number = |text: &str| ObjectBuilder::new().schema_type(Type::Number).description(Some(text.to_owned()));
            let ratio = number("A ratio above 0.").minimum(Some(0)).maximum(Some(1));
            let percent = number("Percent.").minimum(Some(50)).maximum(Some(100));
            OneOfBuilder::new().item(ratio).item(percent).into()
        }
        Shape::Word(words) => object().schema_type(kind(Type::String)).enum_values(Some(words.iter().copied())).into(),
        Shape::Text => object().schema_type(kind(Type::String)).into(),
        Shape::Texts => {
            let item = strings().min_length(Some(1)).max_length(Some(1_000));
            ArrayBuilder::new().description(Some(entry.key.about)).items(item).max_items(Some(100)).into()
        }
        Shape::TextMap => object().schema_type(Type::Object).additional_properties(Some(strings())).into(),
    }
}

fn number_type(range: &Range) -> Type {
    if range.whole { Type::Integer } else { Type::Number }
}

fn bounded(object: ObjectBuilder, range: &Range) -> ObjectBuilder {
    let object =
        if range.min_is_in { object.minimum(Some(range.min)) } else { object.exclusive_minimum(Some(range.min)) };
    if range.max_is_in { object.maximum(Some(range.max)) } else { object.exclusive_maximum(Some(range.max)) }
}
