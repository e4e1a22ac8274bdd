//! Secrets on disk and the keyed user hash.
//!
//! A secret is made once, from the operating system's randomness, and is on disk (fsynced, its folder too) before it is used.
//! The folder is 0700 and each file 0600; anything wider is refused rather than repaired, because somebody may have read it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use litfass_types::{TenantId, UserHash};

/// No secret file is longer than this.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What is wrong with the secrets folder: always for whoever runs the server to put right.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: permissions are {found:04o} but must be {wanted:04o}; others may have read this secret: replace it, or run \
         `chmod {wanted:04o}` if you know that they have not"
    )]
    Exposed { path: PathBuf, found: u32, wanted: u32 },
    #[error("{path}: {message}")]
    Malformed { path: PathBuf, message: String },
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(String),
}

/// `n` bytes of the operating system's randomness.
///
/// # Errors
/// When the operating system has none to give.
pub fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// # Errors
/// When the operating system has no randomness to give.
pub fn fill(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|e| SecretError::NoRandomness(e.to_string()))
}

/// The folder `secrets/` of a data directory.
#[derive(Clone, Debug)]
pub struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Opens `<data_dir>/secrets`, making it where it is not there yet.
    ///
    /// # Errors
    /// When the folder cannot be made, or others than its owner may enter it.
    pub fn open(data_dir: &Path) -> Result<Self, SecretError> {
        let folder = data_dir.join("secrets");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|e| io(&folder, e))?;
        check_mode(&folder, 0o700)?;
        sync_folder(data_dir)?;
        Ok(Self { folder })
    }

    /// The secret of that name; made with `make` where there is none. Two processes that race end with the same secret.
    ///
    /// # Errors
    /// IO, too wide permissions, or what `make` says.
    pub fn read_or_create(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, SecretError>,
    ) -> Result<String, SecretError> {
        if let Some(text) = self.read(name)? {
            return Ok(text);
        }
        let staged = self.stage(name, &make()?)?;
        let path = self.path(name);
        // A hard link fails where the name exists: whoever comes second reads what the first one made.
        let linked = fs::hard_link(&staged, &path);
        fs::remove_file(&staged).map_err(|e| io(&staged, e))?;
        match linked {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(io(&path, e)),
            Ok(()) | Err(_) => sync_folder(&self.folder)?,
        }
        self.read(name)?.ok_or_else(|| malformed(&path, "vanished while it was being made"))
    }

    /// Replaces the secret of that name atomically.
    ///
    /// # Errors
    /// IO.
    pub fn replace(&self, name: &str, text: &str) -> Result<(), SecretError> {
        let staged = self.stage(name, text)?;
        let path = self.path(name);
        fs::rename(&staged, &path).map_err(|e| io(&path, e))?;
        sync_folder(&self.folder)
    }

    /// Where the secret of that name lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> Result<Option<String>, SecretError> {
        let path = self.path(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(&path, e)),
        };
        check_mode(&path, 0o600)?;
        let mut text = String::new();
        file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(|e| io(&path, e))?;
        Ok(Some(text))
    }

    /// Writes beside the name, 0600 from its first byte, and fsyncs.
    fn stage(&self, name: &str, text: &str) -> Result<PathBuf, SecretError> {
        let path = self.folder.join(format!("{name}.{:016x}.staged", u64::from_le_bytes(random()?)));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| io(&path, e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| io(&path, e))?;
        Ok(path)
    }
}

fn io(path: &Path, source: std::io::Error) -> SecretError {
    SecretError::Io { path: path.to_owned(), source }
}

fn malformed(path: &Path, message: &str) -> SecretError {
    SecretError::Malformed { path: path.to_owned(), message: message.to_owned() }
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), SecretError> {
    let found = fs::metadata(path).map_err(|e| io(path, e))?.permissions().mode() & 0o777;
    if found & !wanted == 0 { Ok(()) } else { Err(SecretError::Exposed { path: path.to_owned(), found, wanted }) }
}

fn sync_folder(path: &Path) -> Result<(), SecretError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| io(path, e))
}

/// 32 secret bytes that never print.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub(crate) [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn random() -> Result<Self, SecretError> {
        random().map(Self)
    }

    pub(crate) fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

/// The version of the user key that is made today; a file keeps the version it was made with.
const USER_KEY_VERSION: u8 = 1;

/// Per-tenant keys of the user hash: `secrets/users-<tenant>`, one line `<version> <64 hex digits>`.
#[derive(Debug)]
pub struct UserKeys {
    secrets: Secrets,
    keys: RwLock<BTreeMap<TenantId, UserKey>>,
}

#[derive(Clone, Debug)]
struct UserKey {
    version: u8,
    key: Key,
}

impl UserKeys {
    #[must_use]
    pub const fn new(secrets: Secrets) -> Self {
        Self { secrets, keys: RwLock::new(BTreeMap::new()) }
    }

    /// The user's pseudonym: the first 128 bits of BLAKE3 keyed with the tenant's secret over tenant (8 bytes, little endian) ‖
    /// id. The same person has unrelated hashes at two tenants.
    ///
    /// # Errors
    /// When the tenant is new and its key cannot be made.
    pub fn hash(&self, tenant: TenantId, user_id: &str) -> Result<UserHash, SecretError> {
        let known =
            self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).map(|key| key.hash(tenant, user_id));
        match known {
            Some(hash) => Ok(hash),
            None => Ok(self.open(tenant)?.hash(tenant, user_id)),
        }
    }

    fn open(&self, tenant: TenantId) -> Result<UserKey, SecretError> {
        let name = format!("users-{tenant}");
        let text = self.secrets.read_or_create(&name, UserKey::line)?;
        let key = UserKey::parse(&text)
            .ok_or_else(|| malformed(&self.secrets.path(&name), "is not `<version> <64 hexadecimal digits>`"))?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, key.clone());
        Ok(key)
    }
}

impl UserKey {
    fn line() -> Result<String, SecretError> {
        Ok(format!("{USER_KEY_VERSION} {}\n", Key::random()?.to_hex()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (version, key) = text.trim_end().split_once(' ')?;
        Some(Self { version: version.parse().ok()?, key: Key::from_hex(key)? })
    }

    fn hash(&self, tenant: TenantId, user_id: &str) -> UserHash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        hasher.update(&tenant.0.to_le_bytes()).update(user_id.as_bytes());
        let mut half = [0; 16];
        hasher.finalize_xof().fill(&mut half);
        UserHash { key_version: self.version, hash: u128::from_be_bytes(half) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Secrets) {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        (dir, secrets)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let (dir, secrets) = folder();
        let first = secrets.read_or_create("a", || Ok("one".to_owned())).unwrap();
        let again = secrets.read_or_create("a", || Ok("two".to_owned())).unwrap();
        assert_eq!((first.as_str(), again.as_str()), ("one", "one"));
        assert_eq!((mode(&dir.path().join("secrets")), mode(&secrets.path("a"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(dir.path().join("secrets")).unwrap().count(), 1, "nothing staged is left behind");
    }

    #[test]
    fn wider_permissions_are_refused_by_name() {
        let (dir, secrets) = folder();
        secrets.replace("a", "one").unwrap();
        fs::set_permissions(secrets.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
        let error = secrets.read_or_create("a", || Ok(String::new())).unwrap_err().to_string();
        assert!(error.contains("secrets/a") && error.contains("0640") && error.contains("0600"), "{error}");
        fs::set_permissions(dir.path().join("secrets"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Secrets::open(dir.path()), Err(SecretError::Exposed { found: 0o755, .. })));
    }

    #[test]
    fn a_user_hash_is_stable_and_differs_between_tenants() {
        let (_dir, secrets) = folder();
        let keys = UserKeys::new(secrets.clone());
        let hash = keys.hash(TenantId(1), "ada").unwrap();
        assert_eq!(UserKeys::new(secrets).hash(TenantId(1), "ada").unwrap(), hash);
        assert_ne!(keys.hash(TenantId(2), "ada").unwrap().hash, hash.hash);
        assert_ne!(keys.hash(TenantId(1), "bob").unwrap().hash, hash.hash);
        assert_eq!(hash.key_version, USER_KEY_VERSION);
    }

    #[test]
    fn a_damaged_user_key_is_named_and_never_replaced() {
        let (_dir, secrets) = folder();
        secrets.replace("users-7", "1 00ff").unwrap();
        let error = UserKeys::new(secrets.clone()).hash(TenantId(7), "ada").unwrap_err().to_string();
        assert!(error.contains("users-7"), "{error}");
        assert_eq!(fs::read_to_string(secrets.path("users-7")).unwrap(), "1 00ff");
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(format!("{:?}", Key([7; 32])), "Key(…)");
    }
}
