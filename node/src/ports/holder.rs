//! Which process listens on a port, as Linux tells in `/proc`.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// A process by name and id.
#[derive(Debug)]
pub(super) struct Holder {
    name: String,
    id: u32,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.id)
    }
}

/// The process that listens on `address`, if this user may see it.
pub(super) fn holder(address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| listening(line, address))
                .map(|inode| format!("socket:[{inode}]"))
                .collect::<Vec<_>>()
        })
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        if holds.map(|link| link.display().to_string()).any(|link| inodes.contains(&link)) {
            let name = fs::read_to_string(process.path().join("comm")).ok()?.trim().to_owned();
            return Some(Holder { name, id });
        }
    }
    None
}

/// The inode in a line of `/proc/net/tcp`, if that socket prevents others from listening on `address`.
fn listening(line: &str, address: SocketAddr) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (host, port) = local.rsplit_once(':')?;
    if state != "0A" || u16::from_str_radix(port, 16).ok()? != address.port() {
        return None;
    }
    // The kernel writes an IPv4 address as four bytes in reverse order.
    let same = match address.ip() {
        IpAddr::V4(ip) => {
            let written = u32::from_str_radix(host, 16).ok().map(u32::swap_bytes);
            written.is_none_or(|written| written == ip.to_bits() || written == 0 || ip.is_unspecified())
        }
        IpAddr::V6(_) => true,
    };
    if same { fields.nth(5) } else { None }
}
