//! Local models: listed, missing, and loaded by hand.

use weir_tests::lives;

use super::{CONFIGURATION, LOCAL, chats, embeds, with};

#[tokio::test]
async fn local_models_are_listed() {
    let up = with(LOCAL).start().await;
    let listed = up.home().weir(&["models", "--run", "run"]);
    assert_eq!(listed.out, "all-minilm-l6-v2\tready\tonnx on cpu\n", "{listed:?}");
}

/// Saved while it ran, it took the models away that were there.
#[tokio::test]
async fn a_missing_model_leaves_those_that_run() {
    let up = with(LOCAL).start().await;
    let sidecar = up.child("sidecar");
    up.overwrite(&format!("{CONFIGURATION}{LOCAL}  folder: nowhere\n"));
    up.until_said("the model of before goes on").await;
    assert!(up.said().contains("local model all-minilm-l6-v2: "));
    assert!(up.said().contains("nowhere/all-minilm-l6-v2: no such folder"));
    assert!(embeds(&up).await);
    up.overwrite(&format!("{CONFIGURATION}{LOCAL}  threads: 1\n"));
    let loads = || up.said().matches("local model all-minilm-l6-v2\tready\tonnx on cpu\n").count();
    up.until("it is loaded with its other settings", async || (loads() == 2).then_some(())).await;
    assert!(embeds(&up).await && lives(sidecar));
}

#[tokio::test]
async fn a_local_model_is_unloaded_and_loaded_by_hand() {
    let up = with(LOCAL).start().await;
    let weir = |arguments: &[&str]| up.home().weir(&[&["models"], arguments, &["weir.yaml", "--run", "run"]].concat());
    let unloaded = weir(&["unload", "all-minilm-l6-v2"]);
    assert_eq!((unloaded.code, unloaded.err.trim()), (Some(0), "local model all-minilm-l6-v2 is unloaded"));
    assert!(!embeds(&up).await && chats(&up).await);
    let loaded = weir(&["load", "all-minilm-l6-v2", "--threads", "1"]);
    assert_eq!(loaded.out, "all-minilm-l6-v2\tready\tonnx on cpu\n", "{loaded:?}");
    assert!(embeds(&up).await);
    let failed = weir(&["load", "all-minilm-l6-v2", "--path", "nowhere"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.err.contains("nowhere: no such folder"), "{failed:?}");
    assert!(failed.err.trim().ends_with("the model of before goes on") && embeds(&up).await, "{failed:?}");
    let unknown = weir(&["unload", "mine"]);
    assert_eq!((unknown.code, unknown.err.trim()), (Some(1), "weir: no model is called \"mine\""));
}

/// One folder that was not there kept everything else from starting.
#[tokio::test]
async fn what_does_not_need_a_missing_model_starts() {
    let local = "  mine:\n    targets: [{ provider: local }]\nlocal:\n  folder: models\n  models: { mine: {} }\n";
    let up = with(local).start().await;
    assert!(up.said().contains("local.models.mine: there is no folder "));
    assert!(chats(&up).await);
    let answer = up.embed("mine", "Hi").await;
    let told = answer.text().contains("could not be loaded: the model's folder: no such folder");
    assert!(answer.status() == 502 && told, "{} {}", answer.status(), answer.text());
}
