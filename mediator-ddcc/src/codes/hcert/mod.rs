//! HCERT, the health certificate container of the WHO trust network and of the EU Digital COVID
//! Certificate: `HC1:` + base 45 of zlib of a COSE_Sign1 of a CBOR Web Token.

pub mod ddcc_claim;
pub mod decode;
pub mod encode;
pub mod eu_dcc;
mod uvci;

/// What every HCERT text begins with.
pub const PREFIX: &str = "HC1:";
/// CWT claim that holds the health certificate's sub-claims.
pub const CLAIM: i64 = -260;
/// CWT claims (RFC 8392).
const ISS: i64 = 1;
const EXP: i64 = 4;
const NBF: i64 = 5;
const IAT: i64 = 6;
/// Sub-claim of the EU Digital COVID Certificate.
pub const EU_DCC: i64 = 1;
/// Sub-claim of DDCC:VS, a vaccination.
pub const DDCC_VS: i64 = 3;
/// Sub-claim of DDCC:TR, a test result.
pub const DDCC_TR: i64 = 4;
