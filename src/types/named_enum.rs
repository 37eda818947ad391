//! Macros for enums whose variants have names, so that a variant and its name are one line
//! (docs/decisions/0023). They do not derive serialization; an enum that needs it names the derive itself.

/// Declares an enum with a name for each variant: `ALL` and `as_str` come from the one list.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            $vis const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Returns the name.
            #[must_use]
            $vis fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}

/// Does the same for names that are stored and read again. A stored name never changes.
macro_rules! stored_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($variants:tt)+ }
    ) => {
        $crate::types::named_enum! {
            $(#[$meta])*
            $vis enum $name { $($variants)+ }
        }

        impl $name {
            /// Reads a stored name; `None` for a name that only another version knows.
            #[must_use]
            $vis fn from_stored(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.as_str() == name)
            }
        }
    };
}

pub(crate) use {named_enum, stored_enum};

#[cfg(test)]
mod tests {
    stored_enum! {
        enum Colour {
            Red = "red",
            DarkBlue = "blue.dark",
        }
    }

    #[test]
    fn every_variant_reads_back_as_it_was_written() {
        assert_eq!(Colour::ALL, [Colour::Red, Colour::DarkBlue]);
        for colour in Colour::ALL {
            assert_eq!(Colour::from_stored(colour.as_str()), Some(colour));
        }
        for name in ["", "Red", "red ", "green"] {
            assert_eq!(Colour::from_stored(name), None, "{name:?}");
        }
    }
}
