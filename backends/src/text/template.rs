//! Templates with fields in double braces.

use std::fmt;

/// A template such as `{"text": "{{headline}}"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

/// Why a text is not a valid template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// The field does not exist.
    UnknownField { name: String },
    /// Opening braces without closing ones.
    Unclosed { after: String },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { name } => write!(f, "unknown field {{{{{name}}}}}"),
            Self::Unclosed { after } => write!(f, "{{{{ without }}}} before {after:?}"),
        }
    }
}

impl Template {
    /// Parses a template. Every field must be one of `known`.
    pub(crate) fn parse(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err(TemplateError::Unclosed { after: super::shorten_line(after, 40) });
            };
            let name = name.trim();
            if !known(name) {
                return Err(TemplateError::UnknownField { name: super::shorten_line(name, 40) });
            }
            parts.extend([Part::Text(before.to_owned()), Part::Field(name.to_owned())]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Renders the text with `value` in place of each field.
    pub(crate) fn render(&self, value: &dyn Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(name) => value(name),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, TemplateError> {
        let known = |name: &str| ["a", "b"].contains(&name);
        Ok(Template::parse(text, &known)?.render(&|name| name.to_uppercase()))
    }

    #[test]
    fn fields_are_replaced_and_everything_else_stays() {
        assert_eq!(rendered("{{a}} { {{ b }}} }{{a}}").as_deref(), Ok("A { B} }A"));
        assert_eq!(rendered("").as_deref(), Ok(""));
        assert_eq!(rendered("{{c}}").map_err(|error| error.to_string()), Err("unknown field {{c}}".to_owned()));
        assert!(matches!(rendered("x {{a} y"), Err(TemplateError::Unclosed { .. })));
    }

    proptest::proptest! {
        #[test]
        fn a_text_without_braces_is_itself(text in "[^{]{0,40}") {
            proptest::prop_assert_eq!(rendered(&text), Ok(text));
        }
    }
}
