//! The program as its operator meets it: command line, process, database, and what survives failures.

mod cleanup;
mod cli;
mod cli_accounts;
mod cli_check;
mod cli_settings;
mod cli_start_failures;
mod clock_skew;
mod database;
mod database_outages;
mod disk_faults;
mod key_rotation;
mod library;
mod listener;
mod listener_limits;
mod listener_sockets;
mod logging;
mod migrations;
mod pgbouncer;
mod process;
mod proxies;
mod refusal_logs;
mod secrets;
mod slow_requests;
mod transactions;
