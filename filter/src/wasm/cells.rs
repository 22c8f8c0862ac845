//! The cells of one Envoy, in the shared data of its `vm_id`.

use core::ptr::null_mut;

use super::host::taken;
use crate::shared::{Number, Store, Swap};

const OK: u32 = 0;
const CAS_MISMATCH: u32 = 8;

/// The number with which a value is created.
///
/// Envoy compares numbers only where there is a value already, and counts them up from one. So a number that no change has had
/// creates a value and replaces none; zero would replace any.
const NOBODYS: u32 = u32::MAX;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        number: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, number: u32) -> u32;
}

/// Envoy's shared data.
#[derive(Clone, Copy)]
pub(crate) struct SharedData;

impl Store for SharedData {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        let (mut data, mut size, mut number) = (null_mut(), 0, 0);
        // SAFETY: the key outlives the call, and the host writes to the three places only before it returns.
        let status =
            unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut size, &raw mut number) };
        Some((taken(status, data, size)?, Number::new(number)?))
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        set(key, with, number.get())
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        set(key, with, NOBODYS)
    }
}

fn set(key: &str, value: &[u8], number: u32) -> Swap {
    // SAFETY: key and value outlive the call, and the host copies them.
    match unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), number) } {
        OK => Swap::Done,
        CAS_MISMATCH => Swap::Outrun,
        _ => Swap::Refused,
    }
}

/// A host that keeps shared data as Envoy does.
///
/// Source: <https://github.com/proxy-wasm/proxy-wasm-cpp-host/blob/main/src/shared_data.cc>
#[cfg(test)]
mod envoy {
    use std::collections::HashMap;
    use std::slice;
    use std::sync::Mutex;

    use super::{CAS_MISMATCH, OK};

    const NOT_FOUND: u32 = 1;

    /// Values by key, with the number of their last change.
    type Values = HashMap<Vec<u8>, (Vec<u8>, u32)>;

    /// The number of the next change, and the values.
    static DATA: Mutex<(u32, Option<Values>)> = Mutex::new((1, None));

    #[unsafe(no_mangle)]
    unsafe extern "C" fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        number: *mut u32,
    ) -> u32 {
        // SAFETY: the caller's bytes, which it passes with their length.
        let key = unsafe { slice::from_raw_parts(key, key_size) };
        let held = DATA.lock().unwrap();
        let Some((value, last)) = held.1.as_ref().and_then(|values| values.get(key)) else { return NOT_FOUND };
        let value: &'static mut [u8] = Box::leak(value.clone().into_boxed_slice());
        // SAFETY: the caller's places, to be written.
        unsafe { (*data, *size, *number) = (value.as_mut_ptr(), value.len(), *last) };
        OK
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
        number: u32,
    ) -> u32 {
        // SAFETY: the caller's bytes, which it passes with their length.
        let (key, value) = unsafe { (slice::from_raw_parts(key, key_size), slice::from_raw_parts(value, size)) };
        let mut held = DATA.lock().unwrap();
        let (next, values) = &mut *held;
        let values = values.get_or_insert_default();
        if values.get(key).is_some_and(|(_, last)| number != 0 && number != *last) {
            return CAS_MISMATCH;
        }
        values.insert(key.to_vec(), (value.to_vec(), *next));
        *next += 1;
        OK
    }
}
