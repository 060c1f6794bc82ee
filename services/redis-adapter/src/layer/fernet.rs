//! Fernet: the encryption of channels_redis.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::error::Unreadable;

const VERSION: u8 = 0x80;
const TIME: std::ops::Range<usize> = 1..9;
const IV: std::ops::Range<usize> = 9..25;
const SEAL_BYTES: usize = 32;

/// How far ahead another machine's clock may be.
const MAX_AHEAD_SECONDS: u64 = 60;

/// A key, made from any text.
#[derive(Clone)]
pub(crate) struct FernetKey {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl FernetKey {
    pub(crate) fn new(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let (signing, encryption) = digest.split_at(16);
        let half = |bytes: &[u8]| bytes.try_into().expect("half of 32 bytes");
        Self { signing: half(signing), encryption: half(encryption) }
    }

    /// The token for a text, as ASCII.
    pub(crate) fn encrypt(&self, text: &[u8], now: u64, iv: [u8; 16]) -> Vec<u8> {
        let mut token = vec![VERSION];
        token.extend(now.to_be_bytes());
        token.extend(iv);
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(text));
        let seal = self.mac(&token).finalize().into_bytes();
        token.extend_from_slice(&seal);
        URL_SAFE.encode(token).into_bytes()
    }

    /// The text of a token that this key encrypted. `None`: it did not.
    fn decrypt(&self, token: &[u8]) -> Option<Vec<u8>> {
        let (signed, seal) = token.split_at_checked(token.len().checked_sub(SEAL_BYTES)?)?;
        self.mac(signed).verify_slice(seal).ok()?;
        let iv: [u8; 16] = signed.get(IV)?.try_into().expect("16 bytes");
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        cipher.decrypt_padded_vec::<Pkcs7>(&signed[IV.end..]).ok()
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.signing).expect("HMAC takes keys of any length").chain_update(bytes)
    }
}

impl std::fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FernetKey")
    }
}

/// When a token is too old, or too new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age {
    pub(crate) now: u64,
    pub(crate) max_seconds: u64,
}

impl Age {
    fn allows(self, made: u64) -> bool {
        self.now <= made.saturating_add(self.max_seconds) && made <= self.now.saturating_add(MAX_AHEAD_SECONDS)
    }
}

/// The text of a token that one of the keys encrypted. `age`: `None` takes tokens of any age.
pub(crate) fn decrypt(keys: &[FernetKey], token: &[u8], age: Option<Age>) -> Result<Vec<u8>, Unreadable> {
    let token = URL_SAFE.decode(token).map_err(|_| Unreadable::Undecryptable)?;
    if token.first() != Some(&VERSION) {
        return Err(Unreadable::Undecryptable);
    }
    let text = keys.iter().find_map(|key| key.decrypt(&token)).ok_or(Unreadable::Undecryptable)?;
    let made = u64::from_be_bytes(token[TIME].try_into().expect("8 bytes, as a token that was decrypted has"));
    match age {
        Some(age) if !age.allows(made) => Err(Unreadable::WrongTime),
        _ => Ok(text),
    }
}
