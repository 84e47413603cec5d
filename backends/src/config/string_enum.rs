//! Settings that are one of a few words.

/// Defines an enum whose values are words in files, and the list of the words.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            /// Every word that [`from_word`](Self::from_word) takes.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as it stands in a file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word),+ }
            }

            /// The value that `word` stands for; `None` for any word not in [`WORDS`](Self::WORDS).
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$case),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;
