//! Keys in a real Vault: signatures, logins, certificates, the audit log, and what goes wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod audit;
mod certificates;
mod faults;
mod login;
mod signing;
mod support;
