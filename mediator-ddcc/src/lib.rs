//! The transactions of the WHO Digital Documentation of COVID-19 Certificates (DDCC).
//!
//! Written against four ports ([`transformer::Transformer`], [`repository::FhirRepository`],
//! [`signing::Signer`], [`ledger::Ledger`]), each with its implementations beside it.

mod accepted_request;
pub mod audit_event;
pub mod card;
pub mod codes;
pub mod core_data_set;
pub mod database;
pub mod document;
mod drafting;
mod event_identity;
pub mod fhir_date;
mod finish_interrupted;
pub mod generation_service;
mod holder_queue;
mod in_work;
pub mod json_text;
pub mod ledger;
mod migrations;
pub mod operation_outcome;
pub mod questionnaire;
pub mod recorded;
pub mod repository;
pub mod request;
mod resource;
pub mod signing;
pub mod strict_json;
pub mod terminology;
pub mod transactions;
pub mod transformer;
pub mod verification;
