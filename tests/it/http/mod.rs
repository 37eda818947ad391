//! What holds for every request and every page, whatever it is about.

mod cookieless;
mod cors;
mod credentials;
mod csrf;
mod errors;
mod fuzz;
mod headers;
mod language;
mod nul_characters;
mod pages;
mod paths;
mod statement_counts;
mod static_files;
