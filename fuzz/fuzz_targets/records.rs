//! This target reads any bytes as a batch of records, and writes what it has read again: the copy must read the same.
//! Then it decodes the bytes as a response, and writes a record for each event, as the I/O thread does: the records
//! must read back as the events.

#![no_main]

use ferrequest::codec::{Decoder, Event, Fields};
use ferrequest::records::decoding::{self, Body};
use ferrequest::records::{self, Record, event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    copy_reads_the_same(bytes);
    let Some((&[flags, size], response)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let flags = u32::from(flags);
    events_read_back(response, flags, 1 + u32::from(size) * 64);
});

fn copy_reads_the_same(batch: &[u8]) {
    let read: Vec<Record> = records::iter(batch).collect();
    let mut copy = Vec::new();
    for record in &read {
        let Record {
            opcode,
            flags,
            connection,
            payload,
        } = *record;
        records::push(&mut copy, opcode, flags, connection, &[payload]);
        // Both may be asked for what is not there.
        assert_eq!(record.rest(payload.len() + 1), b"");
        assert_eq!(record.u32_at(payload.len()), 0);
    }
    assert!(copy.len().is_multiple_of(4));
    let again: Vec<Record> = records::iter(&copy).collect();
    assert_eq!(read, again);
}

fn events_read_back(response: &[u8], flags: u32, max_header_size: u32) {
    const CONNECTION: u32 = 7;
    let (options, method) = decoding::decoder_settings(flags, max_header_size, 9 << 16 | 4 << 8);
    let mut decoder = Decoder::new(options);
    decoder.reset(options, method);
    let mut rest = response;
    let mut page = Vec::new();
    loop {
        page.clear();
        match decoder.decode(rest) {
            Ok((_, None)) => return,
            Ok((consumed, Some(event))) => {
                decoding::encode(&mut page, CONNECTION, &event, Body::Inline);
                check(&page, CONNECTION, |record| same(record, &event));
                if let Event::Data(_) = event {
                    page.clear();
                    decoding::encode(&mut page, CONNECTION, &event, Body::ReferenceInto(rest));
                    check(&page, CONNECTION, |record| refers(record, &event, rest));
                }
                rest = &rest[consumed..];
            }
            Err(error) => {
                decoding::encode_error(&mut page, CONNECTION, &error, 3, rest);
                check(&page, CONNECTION, |record| {
                    let code = error.kind.code().as_bytes();
                    let text = [code, error.reason.as_bytes(), rest].concat();
                    record.opcode == event::PARSE_ERROR
                        && record.u32_at(0) as usize == code.len()
                        && record.u32_at(4) as usize == error.reason.len()
                        && record.u32_at(8) as usize == 3 + error.offset
                        && record.rest(12) == text
                });
                return;
            }
        }
    }
}

/// Proves that a page has one record, of this connection, which is as it should be.
fn check(page: &[u8], connection: u32, is_right: impl Fn(&Record<'_>) -> bool) {
    let [record] = records::iter(page).collect::<Vec<_>>()[..] else {
        panic!("not one record: {page:?}");
    };
    assert_eq!(record.connection, connection);
    assert!(is_right(&record), "{record:?}");
}

fn same(record: &Record<'_>, event: &Event<'_>) -> bool {
    match event {
        Event::Information(head) | Event::Head(head) => {
            let interim = matches!(event, Event::Information(_));
            let opcode = if interim {
                event::INFORMATION
            } else {
                event::HEAD
            };
            let version = [head.version_major, head.version_minor];
            let reason_and_fields = [head.reason, head.fields.as_bytes()].concat();
            record.opcode == opcode
                && record.payload[..2] == head.status.to_le_bytes()
                && record.payload[2..4] == version
                && record.u32_at(4) as usize == head.reason.len()
                && record.rest(8) == reason_and_fields
                && (record.flags & event::KEEP_ALIVE != 0) == head.keep_alive
                && (record.flags & event::UPGRADE != 0) == head.upgrade
                && (record.flags & event::KEEP_ALIVE_FIELD != 0) == has_keep_alive(head.fields)
        }
        Event::Data(data) => record.opcode == event::DATA && record.payload == *data,
        Event::End(trailers) => {
            record.opcode == event::END && record.payload == trailers.as_bytes()
        }
    }
}

fn refers(record: &Record<'_>, event: &Event<'_>, chunk: &[u8]) -> bool {
    let (start, length) = (record.u32_at(0) as usize, record.u32_at(4) as usize);
    let Event::Data(data) = event else {
        return false;
    };
    record.flags & event::REFERENCE != 0 && chunk.get(start..start + length) == Some(*data)
}

fn has_keep_alive(fields: Fields<'_>) -> bool {
    fields
        .into_iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(b"keep-alive"))
}
