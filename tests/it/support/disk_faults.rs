//! A disk that fails when a test says so: writes and fsyncs of the program to its SQLite files.
//!
//! A small library in C is built once per run and put in front of the C library of the program. The
//! test and the program share a file that says which call fails.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::process::Sandbox;
use super::requirement::Requirement;

/// `ENOSPC`: no space left on device.
pub(crate) const FULL: i32 = 28;

/// `EIO`: input/output error.
pub(crate) const BROKEN: i32 = 5;

/// Calls that write.
pub(crate) const WRITES: i32 = 1;

/// Calls that make what was written durable.
pub(crate) const SYNCS: i32 = 2;

/// The disk of one machine.
pub(crate) struct DiskFaults {
    control: File,
}

impl DiskFaults {
    /// The same machine on a disk that can fail; `None`, which is said, where no library can be
    /// built for that.
    pub(crate) fn on(sandbox: &Sandbox) -> Option<(Sandbox, Self)> {
        if !Requirement::CCompiler.is_met() {
            return None;
        }
        let library = library();
        sandbox.write("faults", [0; 24]);
        let path = sandbox.path("faults");
        let control = File::options().write(true).read(true).open(&path).expect("it was written");
        let sandbox =
            sandbox.with("LD_PRELOAD", library.display()).with("FAULTS_CONTROL", path.display());
        Some((sandbox, Self { control }))
    }

    /// After so many calls of a kind, the next `length` fail with this error.
    pub(crate) fn fail(&self, kinds: i32, after: u32, length: u32, error: i32) {
        self.end();
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        self.set(1, &[number(after), number(length), error, 0, 0]);
        // Last, since it is what makes calls count.
        self.set(0, &[kinds]);
    }

    /// The disk works again. Tells how many calls have failed.
    pub(crate) fn end(&self) -> i32 {
        self.set(0, &[0]);
        let mut failed = [0; 4];
        self.control.read_exact_at(&mut failed, 20).expect("the control file");
        i32::from_ne_bytes(failed)
    }

    fn set(&self, place: u64, numbers: &[i32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        self.control.write_all_at(&bytes, place * 4).expect("the control file");
    }
}

/// The library, built once per run.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/disk_faults.c");
        let library = folder.join(format!("faults-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .stdin(Stdio::null())
            .status();
        assert!(built.expect("a compiler").success(), "faults.c does not build");
        library
    })
}
