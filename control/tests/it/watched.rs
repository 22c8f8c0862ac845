//! Changes on disk, followed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::common::{environment, node};
use tokio::sync::mpsc::Receiver;
use weir_control::publisher::Publisher;
use weir_control::render::{Kind, render};
use weir_control::watch::{Event, Watch};

const CONFIGURATION: &str = "providers:\n  a: {dialect: openai, endpoint: \"http://127.0.0.1:9/v1\"}\n\
                             models:\n  m: {targets: [{provider: a}]}\n";

/// Follows a configuration in `folder`; no Envoy runs.
async fn follow(folder: &Path) -> (PathBuf, Receiver<Event>) {
    let file = folder.join("weir.yaml");
    std::fs::write(&file, CONFIGURATION).unwrap();
    let events = follow_from(folder, &file, || ()).await;
    (file, events)
}

/// The same for a file that is there; `meanwhile` happens after it was loaded, and before it is followed.
async fn follow_from(folder: &Path, file: &Path, meanwhile: impl FnOnce()) -> Receiver<Event> {
    let environment = environment(folder);
    let node = node(folder, &environment);
    let loaded = weir_control::load(file, &environment).unwrap();
    meanwhile();
    let mut publisher = Publisher::new(&node.folder, None);
    publisher.publish(render(&loaded.gateway, &node).unwrap(), Instant::now()).await.unwrap();
    Watch { file: file.to_owned(), environment, node, routes: None, control: None }.start(&loaded, publisher).unwrap()
}

async fn next(events: &mut Receiver<Event>) -> Event {
    tokio::time::timeout(Duration::from_secs(20), events.recv()).await.expect("nothing happened").unwrap()
}

#[tokio::test]
async fn a_change_is_published_and_a_bad_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, mut events) = follow(folder.path()).await;
    let edge = folder.path().join("envoy").join(Kind::Edge.file());

    // As editors do it: written beside, then renamed.
    let beside = folder.path().join("weir.yaml~");
    std::fs::write(&beside, CONFIGURATION.replace("m:", "other:")).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    let Event::Live { loaded, report } = next(&mut events).await else { panic!() };
    assert!(loaded.gateway.routing().models.contains_key("other"));
    assert!(report.written.contains(&Kind::Edge), "{report:?}");
    let published = std::fs::read_to_string(&edge).unwrap();
    assert!(published.contains("other"));

    std::fs::write(&file, CONFIGURATION.replace("provider: a", "provider: b")).unwrap();
    let Event::Refused(errors) = next(&mut events).await else { panic!() };
    assert!(errors[0].to_string().contains("no provider is called \"b\""), "{errors:?}");
    assert_eq!(std::fs::read_to_string(&edge).unwrap(), published, "the old one keeps running");
}

#[tokio::test]
async fn a_new_key_is_followed_even_if_there_was_no_keys_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut events) = follow(folder.path()).await;
    let keys = folder.path().join(".local/state/weir/keys.yaml");
    std::fs::write(keys, format!("- {{name: ada, sha256: \"{}\"}}\n", "ab".repeat(32))).unwrap();
    let Event::Live { loaded, report } = next(&mut events).await else { panic!() };
    assert_eq!(loaded.gateway.routing().keys.len(), 1);
    assert_eq!(report.written, [Kind::Edge]);
}

/// `weir up` reads the file, starts everything, and only then follows it.
#[tokio::test]
async fn a_change_that_was_saved_before_it_was_followed_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.yaml");
    std::fs::write(&file, CONFIGURATION).unwrap();
    let changed = CONFIGURATION.replace("m:", "other:");
    let mut events = follow_from(folder.path(), &file, || std::fs::write(&file, changed).unwrap()).await;
    let Event::Live { loaded, .. } = next(&mut events).await else { panic!() };
    assert!(loaded.gateway.routing().models.contains_key("other"));
}

#[tokio::test]
async fn a_link_is_followed_to_the_folder_of_the_file() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, file) = (folder.path().join("weir.yaml"), elsewhere.path().join("team.yaml"));
    std::fs::write(&file, CONFIGURATION).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut events = follow_from(folder.path(), &link, || ()).await;
    let model = async |events: &mut Receiver<Event>| {
        let Event::Live { loaded, .. } = next(events).await else { panic!() };
        loaded.gateway.routing().models.keys().next().cloned().unwrap()
    };
    std::fs::write(&file, CONFIGURATION.replace("m:", "edited:")).unwrap();
    assert_eq!(model(&mut events).await, "edited");
    // The link itself, put elsewhere.
    let (other, beside) = (elsewhere.path().join("other.yaml"), folder.path().join("new"));
    std::fs::write(&other, CONFIGURATION.replace("m:", "linked:")).unwrap();
    std::os::unix::fs::symlink(&other, &beside).unwrap();
    std::fs::rename(&beside, &link).unwrap();
    assert_eq!(model(&mut events).await, "linked");
}

/// An editor that empties a file before it writes it, or that a full disk stops there, once took every model and every key away.
#[tokio::test]
async fn an_emptied_configuration_and_a_lost_keys_file_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, mut events) = follow(folder.path()).await;
    let keys = folder.path().join(".local/state/weir/keys.yaml");
    let held = |event: Event| {
        let Event::Live { loaded, .. } = event else { panic!("{event:?}") };
        (loaded.gateway.routing().models.len(), loaded.gateway.routing().keys.len())
    };
    let refused = |event: Event| {
        let Event::Refused(errors) = event else { panic!("{event:?}") };
        errors[0].to_string()
    };
    let key = format!("- {{name: ada, sha256: \"{}\"}}\n", "ab".repeat(32));
    std::fs::write(&keys, &key).unwrap();
    assert_eq!(held(next(&mut events).await), (1, 1));

    std::fs::write(&file, "").unwrap();
    assert!(refused(next(&mut events).await).contains("nothing is written in it"));
    std::fs::write(&file, CONFIGURATION).unwrap();
    assert_eq!(held(next(&mut events).await), (1, 1));

    std::fs::remove_file(&keys).unwrap();
    assert!(refused(next(&mut events).await).contains("stay in force"));
    std::fs::write(&keys, &key).unwrap();
    assert_eq!(held(next(&mut events).await), (1, 1));
    std::fs::write(&keys, "# all revoked\n").unwrap();
    assert_eq!(held(next(&mut events).await), (1, 0), "said in so many words");
}

/// Envoy reads a credential again when something is moved into its folder, and a CA bundle never. Who wrote a new key where the old
/// one stood was told that nothing had changed, and the old one stayed in force.
#[tokio::test]
async fn what_envoy_does_not_notice_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key, ca) = (folder.path().join("weir.yaml"), folder.path().join("key"), folder.path().join("ca.pem"));
    let bundle = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ca.pem")).unwrap();
    std::fs::write(&key, "sk-one").unwrap();
    std::fs::write(&ca, &bundle).unwrap();
    let provider = "{dialect: openai, endpoint: \"https://127.0.0.1:9/v1\", credential: \"file:key\", ca: ca.pem}";
    std::fs::write(&file, format!("providers:\n  a: {provider}\nmodels:\n  m: {{targets: [{{provider: a}}]}}\n"))
        .unwrap();
    let mut events = follow_from(folder.path(), &file, || ()).await;
    let unnoticed = async |events: &mut Receiver<Event>| {
        loop {
            match next(events).await {
                Event::Live { .. } => {}
                Event::Unnoticed { file, .. } => return file,
                other => panic!("{other:?}"),
            }
        }
    };
    std::fs::write(&key, "sk-two").unwrap();
    assert_eq!(unnoticed(&mut events).await, key);

    let beside = folder.path().join("new");
    std::fs::write(&beside, "sk-three").unwrap();
    std::fs::rename(&beside, &key).unwrap();
    std::fs::write(&beside, &bundle).unwrap();
    std::fs::rename(&beside, &ca).unwrap();
    assert_eq!(unnoticed(&mut events).await, ca, "a key that was moved there is noticed");
}

/// A deployment that puts another folder in the place of the configuration's was not noticed, and nothing after it was either.
#[tokio::test]
async fn another_folder_in_its_place_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let under = |path: &str| folder.path().join(path);
    let write = |path: &str, model: &str| {
        let file = under(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, CONFIGURATION.replace("m:", &format!("{model}:"))).unwrap();
    };
    let model = async |events: &mut Receiver<Event>| loop {
        if let Event::Live { loaded, .. } = next(events).await {
            return loaded.gateway.routing().models.keys().next().cloned().unwrap();
        }
    };
    for linked in [true, false] {
        let place = under(if linked { "current" } else { "conf" });
        write("one/weir.yaml", "m");
        let put = |name: &str| {
            if linked {
                std::os::unix::fs::symlink(under(name), under("link")).unwrap();
                std::fs::rename(under("link"), &place).unwrap();
            } else {
                let _ = std::fs::rename(&place, under("old"));
                std::fs::rename(under(name), &place).unwrap();
            }
        };
        put("one");
        let mut events = follow_from(folder.path(), &place.join("weir.yaml"), || ()).await;
        write("two/weir.yaml", "two");
        put("two");
        assert_eq!(model(&mut events).await, "two");
        write(if linked { "two/weir.yaml" } else { "conf/weir.yaml" }, "three");
        assert_eq!(model(&mut events).await, "three");
    }
}
