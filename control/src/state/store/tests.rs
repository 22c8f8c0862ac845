use super::*;

async fn keeps_cells(store: &Store) {
    assert_eq!(store.read("a").await, Ok(None));
    assert_eq!(store.swap("a", Some(b"x"), Some(b"y")).await, Ok(false), "there is none");
    assert_eq!(store.swap("a", None, Some(b"one\0\xff")).await, Ok(true));
    assert_eq!(store.swap("a", None, Some(b"two")).await, Ok(false), "there is one");
    assert_eq!(store.swap("a", Some(b"one"), Some(b"two")).await, Ok(false), "it is another");
    assert_eq!(store.swap("a", Some(b"one\0\xff"), Some(b"two")).await, Ok(true));
    assert_eq!(store.read("a").await, Ok(Some(b"two".to_vec())));
    assert_eq!(store.swap("b%\tü", None, Some(b"")).await, Ok(true));
    assert_eq!(store.list("b%").await, Ok(vec![("b%\tü".to_owned(), Vec::new())]));
    assert_eq!(store.list("").await.map(|all| all.len()), Ok(2));
    assert_eq!(store.swap("a", Some(b"one"), None).await, Ok(false));
    assert_eq!(store.swap("a", Some(b"two"), None).await, Ok(true));
    assert_eq!(store.read("a").await, Ok(None));
}

#[tokio::test]
async fn memory_keeps_cells() {
    keeps_cells(&Address::Memory(Memory::default()).open().await.unwrap()).await;
}

#[tokio::test]
async fn sqlite_keeps_cells_for_all_who_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Sqlite(folder.path().join("leases.sqlite"));
    let (one, other) = (address.open().await.unwrap(), address.open().await.unwrap());
    keeps_cells(&one).await;
    assert_eq!(one.swap("c", None, Some(b"1")).await, Ok(true));
    assert_eq!(other.read("c").await, Ok(Some(b"1".to_vec())));
    assert!(!one.incarnation().is_empty());
}

#[test]
fn a_store_is_named_by_an_address_that_is_shown_without_its_password() {
    for (text, shown) in [
        ("memory", "memory"),
        ("sqlite:/a/b", "sqlite:/a/b"),
        ("postgres://me:se@cret@host:1/db", "postgres://host:1/db"),
        ("redis://:secret@host/0", "redis://host/0"),
        ("valkey://host/0", "redis://host/0"),
        ("valkeys://host/0", "rediss://host/0"),
        ("postgres://host/db?password=secret&sslmode=require", "postgres://host/db"),
    ] {
        assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(shown.to_owned()));
    }
    for wrong in ["", "sqlite:", "mysql://x", "/a/b"] {
        assert!(wrong.parse::<Address>().is_err(), "{wrong}");
    }
}
