//! The parts of the key table: a key, a section, and the accessors of a key's field.
//!
//! Everything is generic over the target `T` that holds the values.

use crate::config::value::Field;

/// One key. A key that is added needs one entry of this type in its section, and one field in the target.
pub(crate) struct Key<T: 'static> {
    pub(crate) name: &'static str,
    /// Its meaning, in one or two sentences.
    pub(crate) about: &'static str,
    /// Type, range and unit, and the accessors.
    pub(crate) field: Field<T>,
    /// A change takes effect only after a restart of the process.
    pub(crate) restart_required: bool,
    /// The recommended value where it differs from the default.
    pub(crate) recommended: Option<Recommended>,
    /// A value that shows how the key is written where it is not set; `None` where an empty value shows it.
    pub(crate) example: Option<&'static str>,
    /// Sets the field to "not set", for a key that can be without a value.
    #[cfg_attr(not(feature = "reload"), expect(dead_code, reason = "only a change unsets"))]
    pub(crate) unset: Option<fn(&mut T)>,
}

/// A recommended value and the reason for it.
pub(crate) struct Recommended {
    /// As TOML.
    pub(crate) value: &'static str,
    pub(crate) reason: &'static str,
}

/// One table of a configuration file.
pub(crate) struct Section<T: 'static> {
    /// The header without brackets; empty for the top of the file.
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key<T>],
}

impl<T> Section<T> {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key<T>> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key whose changes take effect at once.
pub(super) const fn key<T>(name: &'static str, about: &'static str, field: Field<T>) -> Key<T> {
    Key { name, about, field, restart_required: false, recommended: None, example: None, unset: None }
}

impl<T> Key<T> {
    pub(super) const fn example(self, value: &'static str) -> Self {
        Self { example: Some(value), ..self }
    }

    pub(super) const fn recommended(self, value: &'static str, reason: &'static str) -> Self {
        Self { recommended: Some(Recommended { value, reason }), ..self }
    }

    pub(super) const fn restart_required(self) -> Self {
        Self { restart_required: true, ..self }
    }

    /// The key may be without a value; `unset` takes the value away.
    pub(super) const fn optional(self, unset: fn(&mut T)) -> Self {
        Self { unset: Some(unset), ..self }
    }

    /// The value is a secret: it is never shown, and cannot be read or set through the API.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.field.is_sensitive()
    }

    /// Whether the API, `tripline ctl` and the dashboard can read and set the key.
    #[cfg_attr(not(feature = "api"), expect(dead_code, reason = "only the API asks"))]
    pub(crate) fn is_live(&self) -> bool {
        !self.restart_required && !self.is_sensitive()
    }
}

/// Makes the two functions of an [`Access`](crate::config::value::Access) from the kind of a field and its place in
/// `Target`, a type that the calling file names.
macro_rules! access {
    // A value of the very type that the key has.
    (same $($path:ident).+) => {
        $crate::config::keys::key::access!(|c, x| { c.$($path).+ = x; Some(()) }, |c| Some(c.$($path).+.clone()))
    };
    // An enum of words.
    (word $type:ty, $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = <$type>::from_word(x)?; Some(()) },
            |c| Some(c.$($path).+.as_str())
        )
    };
    // A path that may be unset.
    (path $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = (!x.is_empty()).then(|| x.into()); Some(()) },
            |c| c.$($path).+.as_ref().map(|path| path.to_string_lossy().into_owned())
        )
    };
    // A secret that may be unset. Only a comparison reads it: the rule of the key keeps it from being shown.
    (secret $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = (!x.is_empty()).then(|| Secret::new(x)); Some(()) },
            |c| c.$($path).+.as_ref().map(|secret| secret.expose().to_owned())
        )
    };
    // A whole number; the range of the key keeps it within the type.
    (count $type:ty, $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = x as $type; Some(()) },
            |c| Some(f64::from(c.$($path).+))
        )
    };
    // A duration, in units of so many seconds.
    (time $unit_seconds:literal, $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = Duration::try_from_secs_f64(x * $unit_seconds).ok()?; Some(()) },
            |c| Some(c.$($path).+.as_secs_f64() / $unit_seconds)
        )
    };
    // A number with a range of its own, in units of this size.
    (ranged $type:ty, $unit:literal, $($path:ident).+) => {
        $crate::config::keys::key::access!(
            |c, x| { c.$($path).+ = <$type>::new(x / $unit).ok()?; Some(()) },
            |c| Some(c.$($path).+.get() * $unit)
        )
    };
    (|$c:ident, $x:ident| $put:expr, |$g:pat_param| $get:expr) => {
        $crate::config::value::Access { put: |$c: &mut Target, $x| $put, get: |$g: &Target| $get }
    };
}
pub(super) use access;
