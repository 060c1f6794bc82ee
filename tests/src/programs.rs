//! Where the programs under test and their helpers are.

use std::path::{Path, PathBuf};

/// A program of this workspace, built beside the running test.
///
/// # Panics
/// If it has not been built, with the command that builds it.
pub fn natter_program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the running test has a path");
    let folder = test.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent);
    let program = folder.or(test.parent()).expect("a program lies in a folder").join(name);
    assert!(
        program.is_file(),
        "{} is missing: build it with `cargo build --workspace --bins`, or run tests/run",
        program.display()
    );
    program
}

/// The Python that has the packages of tests/run.
///
/// # Panics
/// If it is missing, with the command that installs it.
pub fn python() -> PathBuf {
    let python = test_environment().join("python");
    assert!(python.is_file(), "{} is missing: tests/run installs it", python.display());
    python
}

/// The NATS server: `NATS_SERVER` of the environment, else what tests/run installed, else the one in `PATH`.
pub fn nats_server() -> PathBuf {
    if let Some(path) = std::env::var_os("NATS_SERVER") {
        return path.into();
    }
    let installed = test_environment().join("nats-server");
    if installed.is_file() { installed } else { "nats-server".into() }
}

/// A program of Postgres, such as `initdb`: from the `PATH`, else of the newest server that Debian installed.
///
/// # Panics
/// If there is none.
pub fn postgres_program(name: &str) -> PathBuf {
    let installed = || {
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
            .filter(|program| program.is_file())
            .collect();
        versions.sort();
        versions.pop()
    };
    in_path(name).or_else(installed).unwrap_or_else(|| panic!("{name} of Postgres is missing: tests/run installs it"))
}

/// A program of Redis, such as `redis-server`, from the `PATH`.
///
/// # Panics
/// If there is none.
pub fn redis_program(name: &str) -> PathBuf {
    in_path(name).unwrap_or_else(|| panic!("{name} of Redis is missing: tests/run installs it"))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Where tests/run installs what the tests need.
fn test_environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.test-env/bin")
}
