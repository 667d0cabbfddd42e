//! HCERT, the health certificate container of the WHO trust network and of the EU Digital COVID
//! Certificate: `HC1:` + base 45 of zlib of a COSE_Sign1 of a CBOR Web Token.

pub mod ddcc_claim;
pub mod encode;
pub mod eu_dcc;
mod uvci;

/// What every HCERT text begins with.
pub const PREFIX: &str = "HC1:";
/// CWT claim that holds the health certificate's sub-claims.
pub const CLAIM: i64 = -260;
/// Sub-claim of the EU Digital COVID Certificate.
pub const EU_DCC: i64 = 1;
/// Sub-claim of DDCC:VS, a vaccination.
pub const DDCC_VS: i64 = 3;
/// Sub-claim of DDCC:TR, a test result.
pub const DDCC_TR: i64 = 4;

/// Extended key usage of a key that signs test certificates.
pub const USAGE_TEST: &str = "1.3.6.1.4.1.1847.2021.1.1";
/// Extended key usage of a key that signs vaccination certificates.
pub const USAGE_VACCINATION: &str = "1.3.6.1.4.1.1847.2021.1.2";
/// Extended key usage of a key that signs recovery certificates.
pub const USAGE_RECOVERY: &str = "1.3.6.1.4.1.1847.2021.1.3";
