//! A folder that is gone at the end of a test.

use anyhow::Context as _;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Set to anything to keep the folders of tests, to look into them.
const KEEP: &str = "KALIUN_E2E_KEEP";

/// A throw-away folder.
#[derive(Debug)]
pub struct TestFolder {
    path: PathBuf,
}

impl TestFolder {
    /// Makes one that the user Postgres runs as can pass through.
    ///
    /// # Errors
    /// The system's folder for temporary files cannot be written to.
    pub fn make() -> anyhow::Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kaliun-e2e-{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o711).create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o711)).context("cannot open the folder to others")?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays for someone to look into.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        std::env::var_os(KEEP).is_some()
    }

    /// The path of something in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        if !self.is_kept() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
