//! Forms: what was sent, what is wrong with it, and how it is rendered again.
//!
//! A form is a struct of fields, declared by [`form!`]. Each field reads itself once and keeps the
//! typed text beside its value or its error ([`Field`]), so no handler parses anything, and a
//! handler gets values only from a form without errors ([`Submitted::parsed`]). The rules are those
//! of the types (`types::FromText`); this module has none.

mod errors;
mod field;
pub(crate) mod profile;
pub(crate) mod rejection;
mod submitted;
mod view;

pub(crate) use errors::{FormError, FormErrors};
pub(crate) use field::{Choices, Field, FieldSpec, FieldType, FormData, Hidden};
pub(crate) use submitted::{Queried, Submitted};
use validator::{Validate, ValidationErrors};
pub(crate) use view::FormView;

use super::error::Error;
use super::page::Page;
use super::request_context::RequestContext;
use crate::types::Password;

/// A form, or a part of one, as [`form!`] declares it.
pub(crate) trait Form: Validate + Sized {
    /// Returns its fields, in the order of the page.
    fn fields() -> Vec<FieldSpec>;

    /// Reads the fields of a body.
    fn read_fields(data: &FormData<'_>) -> Self;

    /// Adds what is wrong with its fields.
    fn find_errors(&self, errors: &mut ValidationErrors);

    /// Returns the values that are rendered again, which the type of each field decides: passwords
    /// are never among them.
    fn retained_values(&self) -> Vec<(&'static str, String)>;
}

/// A form whose values make up what a use case wants.
pub(crate) trait ParsedForm: Form {
    type Parsed;

    /// Returns the values, unless something is wrong with one.
    fn parsed(&self) -> Option<Self::Parsed>;
}

/// A form with a page. `Subject` is what the page needs beside the form, such as the group it
/// changes.
pub(crate) trait FormPage<Subject = ()>: Form {
    async fn render(
        form: FormView,
        subject: &Subject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error>;
}

/// Declares a form: a struct of fields, read and validated in the order of the page.
///
/// `same: password2 == password1;` after the struct adds the rule that both passwords are equal.
macro_rules! form {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident { $( $(#[$of_field:meta])* $of_vis:vis $field:ident: $type:ty ),* $(,)? }
        $( same: $second:ident == $first:ident; )?
    ) => {
        $(#[$meta])*
        $vis struct $name { $( $(#[$of_field])* $of_vis $field: $type ),* }

        impl $crate::web::forms::Form for $name {
            fn fields() -> Vec<$crate::web::forms::FieldSpec> {
                let groups: &[Vec<$crate::web::forms::FieldSpec>] =
                    &[ $( <$type as $crate::web::forms::FieldType>::specs(stringify!($field)) ),* ];
                groups.concat()
            }

            fn read_fields(data: &$crate::web::forms::FormData<'_>) -> Self {
                // Unused in a form without fields.
                let _ = data;
                Self { $( $field: $crate::web::forms::FieldType::read(data, stringify!($field)) ),* }
            }

            fn find_errors(&self, errors: &mut ::validator::ValidationErrors) {
                // Unused in a form without fields.
                let _ = &errors;
                $( $crate::web::forms::FieldType::add_errors(
                    &self.$field, stringify!($field), errors,
                ); )*
                $(
                    if !$crate::web::forms::is_same_password(&self.$first, &self.$second) {
                        let differs = $crate::types::text_error("password.differs");
                        errors.add(stringify!($second), differs);
                    }
                )?
            }

            fn retained_values(&self) -> Vec<(&'static str, String)> {
                let mut values = Vec::new();
                $( $crate::web::forms::FieldType::add_retained(
                    &self.$field, stringify!($field), &mut values,
                ); )*
                values
            }
        }

        impl ::validator::Validate for $name {
            fn validate(&self) -> Result<(), ::validator::ValidationErrors> {
                let mut errors = ::validator::ValidationErrors::new();
                $crate::web::forms::Form::find_errors(self, &mut errors);
                if errors.is_empty() { Ok(()) } else { Err(errors) }
            }
        }
    };
}
pub(crate) use form;

form! {
    /// A form with a button and its token. The token has been checked before a handler sees the
    /// form.
    #[derive(Debug)]
    pub(crate) struct ButtonForm {
        csrf: Hidden,
    }
}

/// Returns whether both fields hold the same password, or none.
pub(crate) fn is_same_password(first: &impl PasswordField, second: &impl PasswordField) -> bool {
    let (first, second) = (first.password(), second.password());
    first.as_ref().map(Password::expose) == second.as_ref().map(Password::expose)
}

/// A field with a password, which may be optional.
pub(crate) trait PasswordField {
    fn password(&self) -> Option<Password>;
}

impl PasswordField for Field<Password> {
    fn password(&self) -> Option<Password> {
        self.value()
    }
}

impl PasswordField for Field<Option<Password>> {
    fn password(&self) -> Option<Password> {
        self.value().flatten()
    }
}
