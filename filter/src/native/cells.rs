//! The cells of one Envoy, in its own memory.
//!
//! New code comes as another library, with statics of its own, while the old one still runs. So only the cells of the library that came
//! first are used, and the others reach them through the [`Table`] that it leaves with Envoy.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null;
use std::sync::{OnceLock, PoisonError, RwLock};

use super::abi::{self, Bytes};
use super::host::seen;
use crate::shared::{Number, Store, Swap};

/// Cells by key.
pub(crate) struct Cells(RwLock<BTreeMap<String, (Vec<u8>, Number)>>);

impl Cells {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }
}

impl Store for &Cells {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        match self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(key) {
            Some((held, last)) if *last == number => {
                with.clone_into(held);
                *last = number.checked_add(1).unwrap_or(Number::MIN);
                Swap::Done
            }
            _ => Swap::Outrun,
        }
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        let mut cells = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cells.contains_key(key) {
            return Swap::Outrun;
        }
        cells.insert(key.to_owned(), (with.to_vec(), Number::MIN));
        Swap::Done
    }
}

/// This library's cells. Envoy never unloads it.
static OWN: Cells = Cells::new();

/// The name under which Envoy keeps the table of the library that came first. Another shape of [`Table`] needs another name.
const NAME: &[u8] = b"weir.cells.1";

/// How one library reaches the cells of another, which another compiler may have built.
#[repr(C)]
struct Table {
    /// Shows what is in a cell, and its number; shows nothing if nobody has created it.
    get: unsafe extern "C" fn(key: Bytes, show: Show, to: *mut c_void),
    replace: unsafe extern "C" fn(key: Bytes, with: Bytes, number: u32) -> bool,
    create: unsafe extern "C" fn(key: Bytes, with: Bytes) -> bool,
}

/// Is shown bytes that live as long as the call.
type Show = unsafe extern "C" fn(to: *mut c_void, bytes: Bytes, number: u32);

static TABLE: Table = Table { get, replace, create };

/// # Safety
/// `key` must be UTF-8 and live as long as the call, and `show` must take `to`.
unsafe extern "C" fn get(key: Bytes, show: Show, to: *mut c_void) {
    // SAFETY: as the caller says.
    let key = unsafe { text(key) };
    if let Some((bytes, number)) = (&OWN).get(key) {
        // SAFETY: as the caller says; the bytes live until it returns.
        unsafe { show(to, Bytes::of(&bytes), number.get()) };
    }
}

/// # Safety
/// `key` must be UTF-8, and both must live as long as the call.
unsafe extern "C" fn replace(key: Bytes, with: Bytes, number: u32) -> bool {
    // SAFETY: as the caller says.
    let (key, with) = unsafe { (text(key), seen(with)) };
    Number::new(number).is_some_and(|number| (&OWN).replace(key, with, number) == Swap::Done)
}

/// # Safety
/// As for [`replace`].
unsafe extern "C" fn create(key: Bytes, with: Bytes) -> bool {
    // SAFETY: as the caller says.
    let (key, with) = unsafe { (text(key), seen(with)) };
    (&OWN).create(key, with) == Swap::Done
}

/// # Safety
/// The bytes must live, unchanged, for `'a`.
unsafe fn text<'a>(bytes: Bytes) -> &'a str {
    // SAFETY: as the caller says.
    str::from_utf8(unsafe { seen(bytes) }).unwrap_or_default()
}

/// What Envoy keeps: a function, because what it keeps by that call is never replaced.
extern "C" fn table() -> *const Table {
    &raw const TABLE
}

/// The cells that all workers share, in whichever library they are.
#[derive(Clone, Copy)]
pub(crate) struct Shared(&'static Table);

/// The cells that all workers share.
pub(super) fn shared() -> Shared {
    static FIRST: OnceLock<Shared> = OnceLock::new();
    *FIRST.get_or_init(|| {
        let mut first: *const c_void = null();
        // SAFETY: Envoy copies the name. The function lives as long as Envoy, which never unloads this library.
        let found = unsafe {
            abi::register_function(Bytes::of(NAME), table as *const c_void);
            abi::get_function(Bytes::of(NAME), &raw mut first)
        };
        if !found || first.is_null() {
            return Shared(&TABLE);
        }
        // SAFETY: whatever library left something under this name left such a function, and is never unloaded.
        let table: extern "C" fn() -> *const Table = unsafe { std::mem::transmute(first) };
        // SAFETY: its table is a static of that library.
        Shared(unsafe { table().as_ref() }.unwrap_or(&TABLE))
    })
}

impl Store for Shared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        unsafe extern "C" fn show(to: *mut c_void, bytes: Bytes, number: u32) {
            // SAFETY: it is what `get` passes below, and lives until that has returned; so do the bytes.
            let (to, bytes) = unsafe { (&mut *to.cast::<Option<(Vec<u8>, Number)>>(), seen(bytes)) };
            *to = Number::new(number).map(|number| (bytes.to_vec(), number));
        }
        let mut shown: Option<(Vec<u8>, Number)> = None;
        // SAFETY: the key is UTF-8 and lives, and `show` takes what it is given.
        unsafe { (self.0.get)(Bytes::of(key.as_bytes()), show, (&raw mut shown).cast()) };
        shown
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        // SAFETY: the key is UTF-8, and both live.
        done(unsafe { (self.0.replace)(Bytes::of(key.as_bytes()), Bytes::of(with), number.get()) })
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        // SAFETY: as above.
        done(unsafe { (self.0.create)(Bytes::of(key.as_bytes()), Bytes::of(with)) })
    }
}

fn done(done: bool) -> Swap {
    if done { Swap::Done } else { Swap::Outrun }
}

#[cfg(test)]
impl Shared {
    /// This library's own, by way of its table.
    pub(crate) fn own() -> Self {
        Self(&TABLE)
    }
}
