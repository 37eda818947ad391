//! What programs do: the JSON API, tokens, and forward auth.

mod account;
mod compatibility;
mod form_bodies;
mod forward_auth;
mod openapi;
mod openapi_examples;
mod openapi_tools;
mod requests;
mod resource_servers;
mod token_claims;
mod tokens;
mod user_list;
mod users;
