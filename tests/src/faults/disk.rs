//! A disk that can be full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk in memory that can be made as small as what it holds.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// At this folder. `None` where one may not mount anything.
    pub fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let arguments = ["-t", "tmpfs", "-o", "size=3g", "natter-faults"];
        let mounted = Command::new("mount").args(arguments).arg(folder).output().ok()?;
        mounted.status.success().then(|| Self { folder: folder.to_owned() })
    }

    /// Takes away the room that is left, but for a little that is soon used up.
    pub fn fill(&self) -> Result<(), String> {
        let mut outcome = Ok(());
        // It may have grown since it was measured; then the kernel refuses.
        for try_number in 0..8 {
            outcome = self.resize(&format!("{}k", self.used_kib() + (4 << try_number)));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Gives the room back.
    pub fn make_room(&self) -> Result<(), String> {
        self.resize("3g")
    }

    fn resize(&self, size: &str) -> Result<(), String> {
        let outcome = Command::new("mount").arg("-o").arg(format!("remount,size={size}")).arg(&self.folder).output();
        let outcome = outcome.map_err(|error| format!("mount: {error}"))?;
        let told = String::from_utf8_lossy(&outcome.stderr);
        if outcome.status.success() { Ok(()) } else { Err(told.trim().to_owned()) }
    }

    fn used_kib(&self) -> u64 {
        let output = Command::new("df").args(["--output=used", "-k"]).arg(&self.folder).output();
        let text = String::from_utf8(output.expect("df can be run").stdout).expect("numbers");
        text.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("a number of KiB")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The server that writes to it has ended, or ends with us.
        Command::new("umount").arg("--lazy").arg(&self.folder).output().ok();
    }
}
