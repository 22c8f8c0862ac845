//! `weir` with the `cuda` feature: built with the machine's CUDA toolkit, or without one, and then without a GPU too, with
//! NVIDIA's compiler from the Python package index.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::run::{apt, ask, cargo, run, target};
use crate::say::{Outcome, note, step};
use crate::{fetch, wasm};

/// What kernels are compiled for where no GPU is seen: every later GPU runs it too, compiled once more by its driver.
const OLDEST: &str = "80";

/// The libraries that `weir` is linked to: module of cudarc, prefix of its functions, file, name at run time.
const LIBRARIES: [(&str, &str, &str, &str); 5] = [
    ("driver", "cu", "libcuda.so", "libcuda.so.1"),
    ("cublas", "cublas", "libcublas.so", "libcublas.so.13"),
    ("cublaslt", "cublasLt", "libcublasLt.so", "libcublasLt.so.13"),
    ("curand", "curand", "libcurand.so", "libcurand.so.10"),
    ("nvrtc", "nvrtc", "libnvrtc.so", "libnvrtc.so.13"),
];

/// `CUDA_ERROR_STUB_LIBRARY`, which NVIDIA's own stand-ins return: what is started with one sees no device, and says why.
const STUB: u32 = 34;

/// Builds it and what `weir up` wants beside it, and says where it is and what it needs.
pub(crate) fn build() -> Outcome {
    step("the filter, as a wasm module", wasm::build)?;
    step("Envoy, ONNX Runtime and a model", fetch::all)?;
    let own = own_toolkit();
    let toolkit = match &own {
        Some(toolkit) => {
            note(&format!("CUDA toolkit: {}", toolkit.display()));
            toolkit.clone()
        }
        None => step("a CUDA compiler, for this machine has none", fetch::cuda)?,
    };
    let mut build = cargo(&["build", "--release", "--package", "weir", "--features", "cuda"]);
    build.env("CUDA_HOME", &toolkit).env("PATH", before(&toolkit.join("bin"), "PATH")?);
    if own.is_none() {
        if ask(Command::new("c++").arg("--version")).is_none() {
            apt(&["build-essential"], "compiling kernels needs a C++ compiler")?;
        }
        let stubs = step("what stands in for NVIDIA's libraries while linking", stubs)?;
        // Not by RUSTFLAGS: everything else would be built anew.
        build.env("LIBRARY_PATH", before(&stubs, "LIBRARY_PATH")?);
    }
    if env::var_os("CUDA_COMPUTE_CAP").is_none() && ask(&mut Command::new("nvidia-smi")).is_none() {
        note(&format!("no GPU is seen here: kernels for compute capability {OLDEST}; CUDA_COMPUTE_CAP says otherwise"));
        build.env("CUDA_COMPUTE_CAP", OLDEST);
    }
    step("weir with CUDA (release; its kernels take some ten minutes the first time)", || run(&mut build))?;

    let place = put("weir")?;
    step("the filter, as a dynamic module", || run(&mut cargo(&["build", "--release", "--package", "weir-filter"])))?;
    put("libweir_filter.so")?;
    let needs = "NVIDIA's driver, and cuBLAS and cuRAND of CUDA 13";
    note(&format!("`{} up` starts it; where it runs it needs {needs}", place.display()));
    Ok(())
}

/// Moves what was built to a folder of its own: where a driver is missing it does not start, and would seem to be the other.
fn put(name: &str) -> Outcome<PathBuf> {
    let (built, place) = (target().join("release").join(name), target().join("cuda").join(name));
    let problem = |error| format!("{} to {}: {error}", built.display(), place.display());
    fs::create_dir_all(target().join("cuda")).map_err(problem)?;
    fs::rename(&built, &place).map_err(problem)?;
    Ok(place)
}

/// The toolkit that this machine has.
fn own_toolkit() -> Option<PathBuf> {
    let named = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let usual = [PathBuf::from("/usr/local/cuda")];
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let around = on_path.into_iter().filter_map(|folder| folder.parent().map(Path::to_owned));
    named.chain(around).chain(usual).find(|folder| folder.join("bin/nvcc").is_file())
}

/// `folder`, and after it what the variable says already.
fn before(folder: &Path, variable: &str) -> Outcome<std::ffi::OsString> {
    let said = env::var_os(variable).unwrap_or_default();
    let folders =
        [folder.to_owned()].into_iter().chain(env::split_paths(&said).filter(|path| !path.as_os_str().is_empty()));
    env::join_paths(folders).map_err(|error| format!("{variable}: {error}"))
}

/// Libraries that have the functions' names and do nothing: the true ones come with the driver and the toolkit of the
/// machine that `weir` runs on, under the names that these say they have.
fn stubs() -> Outcome<PathBuf> {
    let bindings = bindings()?;
    let folder = target().join("cuda/stubs");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (module, prefix, file, name) in LIBRARIES {
        let source = bindings.join(module).join("sys/mod.rs");
        let text = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        let c = folder.join(file).with_extension("c");
        let code = functions(&text, prefix).into_iter().map(|name| format!("int {name}(void) {{ return {STUB}; }}\n"));
        fs::write(&c, code.collect::<String>()).map_err(|error| format!("{}: {error}", c.display()))?;
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-w", "-fno-builtin", &format!("-Wl,-soname,{name}"), "-o"]);
        run(compile.arg(folder.join(file)).arg(&c))?;
    }
    Ok(folder)
}

/// Where the source of cudarc is, which declares every function.
fn bindings() -> Outcome<PathBuf> {
    let metadata = ask(&mut cargo(&["metadata", "--format-version", "1", "--features", "weir/cuda"]))
        .ok_or("`cargo metadata` says nothing of the packages")?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata.get("packages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |package: &Value, name| package.get(name).and_then(Value::as_str).map(str::to_owned);
    let cudarc = packages.iter().find(|package| text(package, "name").as_deref() == Some("cudarc"));
    let manifest = cudarc.and_then(|package| text(package, "manifest_path")).ok_or("cudarc is no dependency")?;
    Ok(Path::new(&manifest).with_file_name("src"))
}

/// The functions that `text`, in Rust, declares under `prefix`.
fn functions<'t>(text: &'t str, prefix: &str) -> BTreeSet<&'t str> {
    let declared = text.split("fn ").skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
        rest.get(..end)
    });
    declared.filter(|name| name.starts_with(prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_declaration() {
        let text =
            "extern \"C\" { pub fn cuInit(flags: u32) -> R; pub fn cuInit(x: u8); fn other(); pub fn cuDeviceGet(); }";
        assert_eq!(functions(text, "cu").into_iter().collect::<Vec<_>>(), ["cuDeviceGet", "cuInit"]);
    }
}
