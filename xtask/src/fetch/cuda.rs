//! NVIDIA's CUDA compiler and the headers of its runtime, in one folder, as a toolkit has them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::artifact::{clear, platform, rename};
use super::wheel::Wheel;
use crate::say::{self, Outcome};

/// Fetches it into the cache unless it is there.
pub(super) fn fetch(cache: &Path) -> Outcome<PathBuf> {
    let place = cache.join("cuda");
    let wheels = wheels()?;
    let stamp: String = wheels.iter().map(|wheel| wheel.requirement() + "\n").collect();
    if fs::read_to_string(place.join(".stamp")).is_ok_and(|found| found == stamp) {
        say::note("NVIDIA's compiler is there");
        return Ok(place);
    }
    let fresh = cache.join(".fresh");
    clear(&fresh)?;
    for wheel in &wheels {
        wheel.unpack(cache, &fresh)?;
    }
    let toolkit = fresh.join("nvidia/cu13");
    for programs in ["bin", "nvvm/bin"] {
        for program in fs::read_dir(toolkit.join(programs)).map_err(explain(&toolkit))?.flatten() {
            fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).map_err(explain(&program.path()))?;
        }
    }
    // What links asks for these names; the wheels have only those of run time.
    symlink("libcudart.so.13", toolkit.join("lib/libcudart.so")).map_err(explain(&toolkit))?;
    symlink("lib", toolkit.join("lib64")).map_err(explain(&toolkit))?;
    fs::write(toolkit.join(".stamp"), stamp).map_err(explain(&toolkit))?;
    clear(&place)?;
    rename(&toolkit, &place)?;
    clear(&fresh)?;
    for wheel in &wheels {
        wheel.forget(cache);
    }
    Ok(place)
}

fn wheels() -> Outcome<[Wheel; 5]> {
    let wheel =
        |package, version, x86_64, aarch64| platform(x86_64, aarch64).map(|sha256| Wheel { package, version, sha256 });
    Ok([
        wheel(
            "nvidia-cuda-nvcc",
            "13.0.88",
            "56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03",
            "c7ff28f86a24effdc6c034fa15230c549a273e4771b10a7fec14996f8cf3307f",
        )?,
        wheel(
            "nvidia-nvvm",
            "13.0.88",
            "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0",
            "c4376a291d72d22a315d9d2f69bdae8f8cd83a627f75bad395cee49a0fe65dc1",
        )?,
        wheel(
            "nvidia-cuda-crt",
            "13.0.88",
            "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
            "ee2ea2a97073e02ee62bb27841f437332be2c248e3eac013df07997ada39c003",
        )?,
        wheel(
            "nvidia-cuda-runtime",
            "13.0.96",
            "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
        )?,
        wheel(
            "nvidia-cuda-cccl",
            "13.0.85",
            "e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649",
            "6f0203e29fed809ee2b7fe9b1344df66ecab990c37d6a2e0e189b26d6c97ed7c",
        )?,
    ])
}

fn explain(path: &Path) -> impl Fn(std::io::Error) -> String + use<> {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}
