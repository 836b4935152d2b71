//! Tests of the decoder as the connection uses it: reset, body ahead, body that goes around the decoder.

use super::codec::{Decoder, Event, Fields, Leniency, RequestMethod};
use super::options;

fn decoder(method: RequestMethod) -> Decoder {
    let options = options(Leniency::None);
    let mut decoder = Decoder::new(options);
    decoder.reset(options, method);
    decoder
}

/// Decodes up to and with the final head; panics without one.
fn read_head(decoder: &mut Decoder, bytes: &[u8]) {
    let (consumed, event) = decoder.decode(bytes).unwrap();
    assert!(matches!(event, Some(Event::Head(_))), "{event:?}");
    assert_eq!(consumed, bytes.len());
}

fn end() -> Option<Event<'static>> {
    Some(Event::End(Fields::default()))
}

#[test]
fn a_head_shows_what_came() {
    let mut decoder = decoder(RequestMethod::Other);
    let bytes = b"HTTP/1.1 404 Not Found\r\nSet-Cookie: a\r\nX-Empty:\r\nSET-COOKIE:  b \r\n\r\n";
    let (consumed, Some(Event::Head(head))) = decoder.decode(bytes).unwrap() else {
        panic!("no head");
    };
    assert_eq!(consumed, bytes.len());
    assert_eq!(
        (
            head.status,
            head.version_major,
            head.version_minor,
            head.reason
        ),
        (404, 1, 1, &b"Not Found"[..])
    );
    assert_eq!(
        head.fields.as_bytes(),
        b"Set-Cookie\na\nX-Empty\n\nSET-COOKIE\nb\n"
    );
    let pairs: Vec<_> = head.fields.iter().collect();
    let expected: [(&[u8], &[u8]); 3] = [
        (b"Set-Cookie", b"a"),
        (b"X-Empty", b""),
        (b"SET-COOKIE", b"b"),
    ];
    assert_eq!(pairs, expected);
    assert_eq!((head.fields.len(), head.fields.is_empty()), (3, false));
    assert!(!head.keep_alive && !head.upgrade);
}

#[test]
fn a_head_alone_is_complete_without_another_byte() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(&mut decoder, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(!decoder.is_idle());
    assert_eq!(decoder.decode(b""), Ok((0, end())));
    assert!(decoder.is_idle());
    assert_eq!(decoder.decode(b""), Ok((0, None)));
}

#[test]
fn trailers_come_with_the_end() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let (consumed, Some(Event::End(trailers))) =
        decoder.decode(b"0\r\nA: b\r\nC: d\r\n\r\n").unwrap()
    else {
        panic!("no end");
    };
    assert_eq!(
        (consumed, trailers.as_bytes(), trailers.len()),
        (17, &b"A\nb\nC\nd\n"[..], 2)
    );
}

#[test]
fn the_fields_of_the_header_are_not_trailers() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(decoder.decode(b"0\r\n\r\n"), Ok((5, end())));
    decoder.reset(options(Leniency::None), RequestMethod::Other);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
    );
    assert_eq!(decoder.decode(b"x"), Ok((1, Some(Event::Data(b"x")))));
    assert_eq!(decoder.decode(b""), Ok((0, end())));
}

#[test]
fn body_of_known_length_can_go_around_the_decoder() {
    let mut decoder = decoder(RequestMethod::Other);
    assert_eq!(decoder.plain_body_ahead(), 0);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    );
    assert_eq!(decoder.plain_body_ahead(), 10);
    assert_eq!(decoder.decode(b"abc"), Ok((3, Some(Event::Data(b"abc")))));
    assert_eq!(decoder.plain_body_ahead(), 7);
    decoder.skip_body(3);
    assert_eq!(decoder.plain_body_ahead(), 4);
    decoder.skip_body(4);
    assert_eq!(decoder.plain_body_ahead(), 0);
    assert_eq!(decoder.decode(b""), Ok((0, end())));
    assert_eq!(decoder.plain_body_ahead(), 0);
}

#[test]
fn chunk_data_can_go_around_the_decoder() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(decoder.plain_body_ahead(), 0);
    assert_eq!(decoder.decode(b"5;x\r\n"), Ok((5, None)));
    assert_eq!(decoder.plain_body_ahead(), 5);
    decoder.skip_body(2);
    assert_eq!(
        decoder.decode(b"llo\r\n"),
        Ok((3, Some(Event::Data(b"llo"))))
    );
    assert_eq!(decoder.plain_body_ahead(), 0);
    assert_eq!(decoder.decode(b"\r\nFFFFFFFFFFFFFFFF\r\n"), Ok((20, None)));
    assert_eq!(decoder.plain_body_ahead(), u64::MAX);
    decoder.skip_body(u64::MAX);
    assert_eq!(decoder.decode(b"\r\n0\r\n\r\n"), Ok((7, end())));
}

#[test]
fn body_until_close_can_go_around_the_decoder() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(&mut decoder, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(decoder.plain_body_ahead(), u64::MAX);
    decoder.skip_body(1 << 40);
    assert_eq!(decoder.plain_body_ahead(), u64::MAX);
    assert_eq!(decoder.decode(b"x"), Ok((1, Some(Event::Data(b"x")))));
    assert_eq!(decoder.finish(), Ok(end()));
    assert_eq!(decoder.finish(), Ok(None));
    assert!(decoder.is_idle());
}

#[test]
fn skipping_more_than_is_ahead_skips_what_is_ahead() {
    let mut decoder = decoder(RequestMethod::Other);
    decoder.skip_body(5);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    );
    decoder.skip_body(u64::MAX);
    assert_eq!(decoder.decode(b""), Ok((0, end())));
    decoder.skip_body(1);
    assert_eq!(decoder.decode(b""), Ok((0, None)));
}

#[test]
fn skipping_nothing_ends_nothing() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    );
    decoder.skip_body(0);
    assert_eq!(decoder.decode(b""), Ok((0, None)));
    assert_eq!(decoder.plain_body_ahead(), 2);
}

#[test]
fn line_ends_before_a_message_leave_it_idle() {
    let mut decoder = decoder(RequestMethod::Other);
    assert!(decoder.is_idle());
    assert_eq!(decoder.decode(b"\r\n\r\n"), Ok((4, None)));
    assert!(decoder.is_idle());
    assert_eq!(decoder.finish(), Ok(None));
    assert_eq!(decoder.decode(b"H"), Ok((1, None)));
    assert!(!decoder.is_idle());
}

#[test]
fn after_an_interim_response_it_is_idle_again() {
    let mut decoder = decoder(RequestMethod::Other);
    let bytes = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let (consumed, event) = decoder.decode(bytes).unwrap();
    assert!(
        matches!(event, Some(Event::Information(head)) if head.status == 103 && head.fields.len() == 1)
    );
    assert_eq!(consumed, bytes.len());
    assert_eq!(decoder.decode(b""), Ok((0, None)));
    assert!(decoder.is_idle());
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn an_end_that_was_not_asked_for_comes_from_finish() {
    let mut decoder = decoder(RequestMethod::Head);
    read_head(
        &mut decoder,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(decoder.finish(), Ok(end()));
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn after_an_upgrade_nothing_is_consumed() {
    let mut decoder = decoder(RequestMethod::Connect);
    read_head(&mut decoder, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(decoder.decode(b"HTTP/1.1 200 OK\r\n\r\n"), Ok((0, None)));
    assert_eq!(decoder.plain_body_ahead(), 0);
    assert!(!decoder.is_idle());
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn what_follows_an_upgrade_head_in_its_packet_is_left_to_the_caller() {
    let mut decoder = decoder(RequestMethod::Other);
    let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let packet = [&head[..], b"\r\nx"].concat();
    let (consumed, event) = decoder.decode(&packet).unwrap();
    assert!(matches!(event, Some(Event::Head(head)) if head.upgrade));
    assert_eq!(consumed, head.len());
}

#[test]
fn a_101_that_upgrades_nothing_takes_the_rest_of_its_packet_with_it() {
    let mut decoder = decoder(RequestMethod::Other);
    read_head(&mut decoder, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert_eq!(decoder.decode(b"garbage"), Ok((7, end())));
    assert!(decoder.is_idle());
    let (_, event) = decoder.decode(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert!(matches!(event, Some(Event::Head(head)) if head.status == 204));
}

#[test]
fn a_reset_in_the_middle_of_anything_starts_afresh() {
    let beginnings: [&[u8]; 8] = [
        b"HTT",
        b"HTTP/1.1 200 O",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 4",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nConnection: clo",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ];
    let next = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    for beginning in beginnings {
        let mut decoder = decoder(RequestMethod::Other);
        let mut rest = beginning;
        while let (consumed, Some(_)) = decoder.decode(rest).unwrap() {
            rest = &rest[consumed..];
        }
        let transcript = super::transcript::decode(
            &mut decoder,
            next,
            &[],
            options(Leniency::None),
            RequestMethod::Other,
        );
        let fresh = super::decode(next, &[], options(Leniency::None), RequestMethod::Other);
        assert_eq!(transcript, fresh, "after {}", beginning.escape_ascii());
    }
}

#[test]
fn the_limit_is_an_option() {
    let head = b"HTTP/1.1 200 OK\r\nName: value\r\n\r\n";
    for (limit, fits) in [(11, false), (12, true)] {
        let mut options = options(Leniency::None);
        options.max_header_size = limit;
        // "OK", "Name" and "value" are eleven bytes, and the limit must not be reached.
        assert_eq!(Decoder::new(options).decode(head).is_ok(), fits, "{limit}");
    }
}

#[test]
fn a_decoder_can_go_to_another_thread() {
    fn assert_send<T: Send + 'static>() {}
    assert_send::<Decoder>();
}
