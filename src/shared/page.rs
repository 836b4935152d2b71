//! Pages of event records, as both threads write them.

use super::libuv;
use crate::records::{NO_CONNECTION, event, push};

/// Lets `fill` append whole records to a page. What was empty begins with the time, if records come.
pub fn append<T>(page: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let begins = page.is_empty();
    if begins {
        let time = libuv::now().to_le_bytes();
        push(page, event::TIME, 0, NO_CONNECTION, &[&time]);
    }
    let start = page.len();
    let result = fill(page);
    if begins && page.len() == start {
        page.clear();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::iter;

    #[test]
    fn a_page_begins_with_the_time_of_its_first_records() {
        let mut page = Vec::new();
        let before = libuv::now();
        append(&mut page, |page| push(page, event::EOF, 0, 1, &[]));
        let after = libuv::now();
        append(&mut page, |page| push(page, event::EOF, 0, 2, &[]));
        let records: Vec<_> = iter(&page).collect();
        let of: Vec<_> = records.iter().map(|record| record.connection).collect();
        assert_eq!(of, [NO_CONNECTION, 1, 2]);
        let time = f64::from_le_bytes(records[0].payload.try_into().unwrap());
        assert!(before <= time && time <= after);
    }

    #[test]
    fn a_page_without_records_stays_empty() {
        let mut page = Vec::new();
        assert_eq!(append(&mut page, |_| 7), 7);
        assert!(page.is_empty());
    }
}
