//! Who somebody is: tokens as djangorestframework-simplejwt signs them, and passwords as Django hashes them.

pub mod claims;
pub mod jwks;
mod jws;
pub mod key;
pub mod key_set;
pub mod minter;
pub mod password;
pub mod unproven;
pub mod verifier;
