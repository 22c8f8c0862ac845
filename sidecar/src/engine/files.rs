//! Finds the graph in a model's folder, or describes what is there instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::file::{FileError, fetched};

/// The folders in which exporters put graphs.
const PLACES: [&str; 2] = ["", "onnx"];

/// The usual names of the graph to run, if a folder has several graphs.
const USUAL: [&str; 2] = ["model.onnx", "model_quantized.onnx"];

/// The graph in a model's folder: one with a usual name, else the only one.
pub fn graph(folder: &Path) -> Option<PathBuf> {
    let usual = USUAL.iter().flat_map(|name| PLACES.map(|place| folder.join(place).join(name)));
    usual.into_iter().find(|path| path.is_file()).or_else(|| {
        PLACES.iter().find_map(|place| {
            let mut graphs = ending(&folder.join(place), "onnx").into_iter();
            let only = graphs.next().filter(|_| graphs.next().is_none())?;
            Some(folder.join(place).join(only))
        })
    })
}

/// The names of the files in `folder` that have this ending.
fn ending(folder: &Path, wanted: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == wanted) && path.is_file());
    files.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// Describes what `folder` holds instead of a model that can be run, and what to do.
pub fn seen(folder: &Path) -> String {
    let first = |kind| ending(folder, kind).pop_first();
    let graphs: Vec<String> = PLACES
        .iter()
        .flat_map(|place| ending(&folder.join(place), "onnx").into_iter().map(move |name| (place, name)))
        .map(|(place, name)| Path::new(place).join(name).display().to_string())
        .collect();
    let shard = ending(folder, "safetensors").into_iter().find(|name| name.starts_with("model-00001-of-"));
    if graphs.len() > 1 {
        return format!("{} are there: name the one that is meant model.onnx", graphs.join(" and "));
    }
    if let Some(shard) = shard {
        return format!("{shard} is one of several parts: join them into one model.safetensors, or {EXPORT}");
    }
    if let Some(file) = first("gguf") {
        return format!("{file} is for llama.cpp: take the model in its first form, and {EXPORT}");
    }
    if let Some(file) = ["bin", "pt", "h5", "msgpack"].into_iter().find_map(first) {
        return format!("{file} is not read: save the weights as model.safetensors, or {EXPORT}");
    }
    "put one there, or choose another engine".to_owned()
}

/// How to export a graph. <https://huggingface.co/docs/optimum-onnx/onnx/usage_guides/export_a_model>
const EXPORT: &str = "export a graph (`optimum-cli export onnx --task feature-extraction`)";

/// Refuses a graph that is only a pointer of Git, or whose file of weights is one.
pub fn fetched_graph(graph: &Path) -> Result<(), FileError> {
    ["onnx", "onnx_data", "onnx.data"].iter().try_for_each(|ending| fetched(&graph.with_extension(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn a_graph_is_found_where_exporters_put_it() {
        for (files, expect) in [
            (&["model.onnx", "onnx/model.onnx"][..], Some("model.onnx")),
            (&["onnx/model.onnx", "onnx/model_quantized.onnx"], Some("onnx/model.onnx")),
            (&["onnx/model_quantized.onnx", "onnx/model_fp16.onnx"], Some("onnx/model_quantized.onnx")),
            (&["onnx/model_fp16.onnx"], Some("onnx/model_fp16.onnx")),
            (&["a.onnx"], Some("a.onnx")),
            (&["a.onnx", "b.onnx"], None),
            (&["onnx/a.onnx", "onnx/b.onnx"], None),
            (&["folder.onnx/x"], None),
        ] {
            let folder = folder(files);
            assert_eq!(graph(folder.path()), expect.map(|expect| folder.path().join(expect)), "{files:?}");
        }
    }

    #[test]
    fn what_is_there_instead_is_named() {
        for (files, expect) in [
            (&["pytorch_model.bin"][..], "pytorch_model.bin is not read: save the weights as model.safetensors"),
            (&["model-Q4_K_M.gguf"], "model-Q4_K_M.gguf is for llama.cpp"),
            (
                &["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
                "model-00001-of-00002.safetensors is one of several parts",
            ),
            (&["a.onnx", "onnx/b.onnx", "onnx/c.onnx"], "a.onnx and onnx/b.onnx and onnx/c.onnx are there"),
            (&["config.json"], "put one there"),
        ] {
            let said = seen(folder(files).path());
            assert!(said.starts_with(expect), "{files:?}: {said}");
        }
    }

    #[test]
    fn a_pointer_is_no_file_of_its_own() {
        let folder = folder(&["model.onnx"]);
        let graph = folder.path().join("model.onnx");
        assert!(fetched_graph(&graph).is_ok());
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90405214\n";
        let weights = folder.path().join("model.onnx_data");
        std::fs::write(&weights, pointer).unwrap();
        let Err(FileError::Pointer { path }) = fetched_graph(&graph) else { panic!("it was taken for the file") };
        assert_eq!(path, weights);
    }
}
