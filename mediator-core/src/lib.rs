//! OpenHIM mediators in Rust.
