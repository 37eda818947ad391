//! What the program does by itself, and the checks of its settings: one story per file.

pub mod checks;
pub mod cleanup;
pub mod email_delivery;
pub mod key_rotation;
