//! The master secret and everything that is derived from it.
//!
//! One secret (Rocket's `secret_key`) is spread by HKDF (RFC 5869) into one key per purpose, so
//! that no two parts of the program ever share a key and none can give another's away.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Random, base64url, from_base64url};
use crate::owner_only;

/// Shortest master secret, in bytes: what an HMAC-SHA-256 key should have (RFC 7518, 3.2).
const MIN_BYTES: usize = 32;

/// The master secret.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why there is no [`SecretKey`].
#[derive(Debug, Error)]
pub enum SecretKeyError {
    /// The text is not base64 or hexadecimal of at least 256 bits.
    #[error("not 256 bits of base64 or hexadecimal")]
    Malformed,
    /// The file in the data directory cannot be read or written.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    /// The file holds something else.
    #[error("{0}: does not hold a secret key")]
    NotAKey(PathBuf),
}

impl SecretKey {
    /// Reads what `openssl rand -base64 32` or `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// [`SecretKeyError::Malformed`] when the text is neither, or too short.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let text = text.trim();
        // Hexadecimal digits are base64 too, and would be read as other bytes: hexadecimal goes first.
        let is_hex = text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes = if is_hex { from_hex(text) } else { STANDARD.decode(text).ok() }
            .or_else(|| URL_SAFE_NO_PAD.decode(text).ok());
        match bytes {
            Some(bytes) if bytes.len() >= MIN_BYTES => Ok(Self(Zeroizing::new(bytes))),
            _ => Err(SecretKeyError::Malformed),
        }
    }

    /// Reads the generated secret in `folder`, or generates it there, readable by its owner only.
    ///
    /// # Errors
    /// [`SecretKeyError`] when the file cannot be made or holds something else.
    pub fn in_folder(folder: &Path, random: Random) -> Result<Self, SecretKeyError> {
        let path = Self::file_in(folder);
        if path.exists() {
            return Self::read(&path);
        }
        let failed = |source| SecretKeyError::File { path: path.clone(), source };
        let draft = folder.join(format!("secret_key.{}", random.token_id()));
        // A hard link appears whole or not at all and replaces nothing, unlike a rename: two processes
        // that start at once get the same secret, and one that dies while writing leaves no half of it.
        let written = write(&draft, random).and_then(|()| std::fs::hard_link(&draft, &path));
        let _ = std::fs::remove_file(&draft);
        match written {
            Ok(()) => tracing::info!(file = %path.display(), "a secret key was generated"),
            // Another process was first.
            Err(exists) if exists.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(source)),
        }
        Self::read(&path)
    }

    /// Reads a generated secret.
    ///
    /// # Errors
    /// [`SecretKeyError`] when it cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Self, SecretKeyError> {
        let failed = |source| SecretKeyError::File { path: path.to_owned(), source };
        let mut bytes = Zeroizing::new(Vec::new());
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(4096).read_to_end(&mut bytes).map_err(failed)?;
        let text = std::str::from_utf8(&bytes).ok().and_then(|text| Self::parse(text).ok());
        text.ok_or_else(|| SecretKeyError::NotAKey(path.to_owned()))
    }

    /// Returns the path of the generated secret in a data directory.
    #[must_use]
    pub fn file_in(folder: &Path) -> PathBuf {
        folder.join("secret_key")
    }

    /// Derives a 256-bit key for one purpose.
    fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"daemun");
        let mut key = Zeroizing::new([0; 32]);
        salt.extract(&self.0)
            .expand(&[purpose], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("HKDF-SHA-256 gives up to 255 times 32 bytes");
        key
    }
}

fn write(path: &Path, random: Random) -> io::Result<()> {
    let text = Zeroizing::new(STANDARD.encode(random.bytes::<MIN_BYTES>()));
    let mut file = owner_only::create_file(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The derived keys, one per purpose.
pub struct DerivedKeys {
    csrf: hmac::Key,
    device: hmac::Key,
    identifier: hmac::Key,
    sealing: RandomizedNonceKey,
    refresh: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKeys(..)")
    }
}

/// Something sealed cannot be opened: it was sealed under another master secret, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("sealed under another secret_key, or damaged")]
pub struct UnsealError;

impl DerivedKeys {
    /// Derives all keys of a master secret.
    #[must_use]
    pub fn derive(secret_key: &SecretKey) -> Self {
        let mac = |purpose| hmac::Key::new(hmac::HMAC_SHA256, secret_key.derive(purpose).as_ref());
        Self {
            csrf: mac(b"csrf token"),
            device: mac(b"known device"),
            identifier: mac(b"throttled identifier"),
            sealing: RandomizedNonceKey::new(&AES_256_GCM, secret_key.derive(b"sealing").as_ref())
                .expect("AES-256 takes 32 bytes"),
            refresh: secret_key.derive(b"refresh token"),
        }
    }

    /// Returns the key that signs refresh tokens (HS256).
    #[must_use]
    pub fn refresh_token(&self) -> &[u8] {
        self.refresh.as_ref()
    }

    /// Returns the form token that belongs to `holder`, a session or a pre-session cookie.
    #[must_use]
    pub fn csrf_token(&self, holder: &str) -> String {
        base64url(hmac::sign(&self.csrf, holder.as_bytes()).as_ref())
    }

    /// Returns whether `token` is [`csrf_token`](Self::csrf_token) of `holder`.
    #[must_use]
    pub fn is_csrf_token(&self, token: &str, holder: &str) -> bool {
        is_signed(&self.csrf, token, holder)
    }

    /// Signs the statement that an account was logged in to on this browser.
    #[must_use]
    pub fn sign_device(&self, statement: &str) -> String {
        base64url(hmac::sign(&self.device, statement.as_bytes()).as_ref())
    }

    /// Returns whether `signature` is [`sign_device`](Self::sign_device) of `statement`.
    #[must_use]
    pub fn is_device_signature(&self, signature: &str, statement: &str) -> bool {
        is_signed(&self.device, signature, statement)
    }

    /// Returns a pseudonym for personal data (an IP or e-mail address) that is only counted.
    #[must_use]
    pub fn pseudonym(&self, of: &str) -> String {
        base64url(hmac::sign(&self.identifier, of.as_bytes()).as_ref())
    }

    /// Seals bytes for storage. `label` says what they are; they open under that label only.
    #[must_use]
    pub fn seal(&self, label: &str, bytes: &[u8]) -> String {
        let mut sealed = bytes.to_vec();
        // The label is authenticated, not stored: a sealed value moved to another column does not open.
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(label), &mut sealed)
            .expect("AES-GCM seals anything that fits into memory");
        base64url(&[nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) gave.
    ///
    /// # Errors
    /// [`UnsealError`] when key or label are not those it was sealed with.
    pub fn unseal(&self, label: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let bytes = from_base64url(sealed).ok_or(UnsealError)?;
        // `seal` puts the nonce of AES-GCM, 96 bits, in front.
        let (nonce, rest) = bytes.split_first_chunk::<12>().ok_or(UnsealError)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .sealing
            .open_in_place(nonce, Aad::from(label), &mut rest)
            .map_err(|_| UnsealError)?
            .len();
        rest.truncate(length);
        Ok(rest)
    }
}

fn is_signed(key: &hmac::Key, signature: &str, statement: &str) -> bool {
    // `hmac::verify` compares in constant time.
    from_base64url(signature)
        .is_some_and(|mac| hmac::verify(key, statement.as_bytes(), &mac).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> DerivedKeys {
        DerivedKeys::derive(&SecretKey(Zeroizing::new(vec![byte; 32])))
    }

    #[test]
    fn a_master_secret_has_256_bits_at_least() {
        assert!(SecretKey::parse(&STANDARD.encode([7; 32])).is_ok());
        assert!(SecretKey::parse(&"ab".repeat(32)).is_ok());

        for text in ["", "secret", &STANDARD.encode([7; 31]), &"ab".repeat(31), &"é".repeat(40)] {
            assert!(SecretKey::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_sealed_opens_under_the_same_label_and_key_only() {
        let sealed = keys(1).seal("signing key", b"private");

        assert_eq!(*keys(1).unseal("signing key", &sealed).expect("opens"), b"private");
        assert!(keys(1).unseal("other", &sealed).is_err());
        assert!(keys(2).unseal("signing key", &sealed).is_err());
        assert!(keys(1).unseal("signing key", &sealed[2..]).is_err());
    }

    #[test]
    fn a_form_token_belongs_to_its_holder() {
        let token = keys(1).csrf_token("ada");

        assert!(keys(1).is_csrf_token(&token, "ada"));
        assert!(!keys(1).is_csrf_token(&token, "eve"));
        assert!(!keys(1).is_csrf_token("", "ada"));
        assert!(!keys(1).is_device_signature(&token, "ada"), "one key per purpose");
    }

    #[test]
    fn the_generated_secret_is_private_and_stays() {
        let folder = std::env::temp_dir().join(format!("daemun-{}", Random.token_id()));
        std::fs::create_dir(&folder).expect("a new folder");

        let first = SecretKey::in_folder(&folder, Random).expect("generated");
        let again = SecretKey::in_folder(&folder, Random).expect("read back");

        assert_eq!(first.0, again.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.join("secret_key")).expect("there").permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
