//! Tests of the case table: every response, in every mode and dialect, however it is cut.

use super::codec::{DecoderOptions, Dialect, Leniency, RequestMethod};
use super::transcript::Transcript;
use super::{check_decoder, fixture, options};
use std::collections::HashSet;

type Decode = fn(&[u8], DecoderOptions, RequestMethod) -> Transcript;

const MODES: [Leniency; 3] = [Leniency::None, Leniency::HeaderValueRelaxed, Leniency::All];

fn agrees_with_llhttp(release: &str, dialect: Dialect, decode: Decode) {
    for case in fixture::cases() {
        for lenient in MODES {
            let mut options = options(lenient);
            options.dialect = dialect;
            let transcript = decode(&case.bytes, options, case.method);
            if let Some(expected) = case.outcome(release, lenient) {
                assert_eq!(
                    fixture::abbreviate(&transcript),
                    expected,
                    "{} ({lenient:?})",
                    case.name
                );
            }
        }
    }
}

#[test]
fn every_case_ends_as_in_llhttp_9_4_3() {
    agrees_with_llhttp("9.4.3", Dialect::from_llhttp(9, 4, 3), check_decoder);
}

#[test]
fn every_case_ends_as_in_llhttp_9_3_1() {
    let whole = |bytes: &[u8], options, method| super::decode(bytes, &[], options, method);
    agrees_with_llhttp("9.3.1", Dialect::from_llhttp(9, 3, 1), whole);
}

#[test]
fn the_table_has_its_cases_once_each() {
    let cases = fixture::cases();
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let inputs: HashSet<_> = cases
        .iter()
        .map(|case| (&case.bytes, format!("{:?}", case.method)))
        .collect();
    assert!(cases.len() >= 500, "{}", cases.len());
    assert_eq!((names.len(), inputs.len()), (cases.len(), cases.len()));
}

#[test]
fn releases_between_the_two_have_the_tolerances_of_their_own() {
    let tab_after_length = b"HTTP/1.1 200 OK\r\nContent-Length: 0\t\r\n\r\n";
    let tab_after_close = b"HTTP/1.1 200 OK\r\nConnection: close\t\r\nContent-Length: 0\r\n\r\n";
    let cr_cr = b"HTTP/1.1 200 OK\r\rContent-Length: 0\r\n\r\n";
    let empty_coding = b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n";
    let taken = |bytes: &[u8], (major, minor, patch)| {
        let mut options = options(Leniency::None);
        options.dialect = Dialect::from_llhttp(major, minor, patch);
        let transcript = check_decoder(bytes, options, Default::default());
        transcript
            .error
            .is_none()
            .then(|| fixture::abbreviate(&transcript).remove(0))
    };
    let kept = Some("head 1.1 200 keep-alive OK".to_owned());
    let closed = Some("head 1.1 200 close OK".to_owned());
    for release in [(8, 1, 1), (9, 2, 0), (9, 3, 0), (9, 3, 1)] {
        let all = [tab_after_length, &tab_after_close[..], cr_cr, empty_coding]
            .map(|bytes| taken(bytes, release));
        assert_eq!(
            all,
            [None, kept.clone(), kept.clone(), closed.clone()],
            "{release:?}"
        );
    }
    for release in [(9, 4, 0), (9, 4, 1)] {
        let all = [tab_after_length, &tab_after_close[..], cr_cr, empty_coding]
            .map(|bytes| taken(bytes, release));
        assert_eq!(
            all,
            [kept.clone(), kept.clone(), kept.clone(), closed.clone()],
            "{release:?}"
        );
    }
    for (release, empty_taken) in [
        ((9, 4, 2), true),
        ((9, 4, 3), false),
        ((9, 5, 0), false),
        ((10, 0, 0), false),
    ] {
        let all = [tab_after_length, &tab_after_close[..], cr_cr, empty_coding]
            .map(|bytes| taken(bytes, release));
        assert_eq!(
            all,
            [
                kept.clone(),
                closed.clone(),
                None,
                closed.clone().filter(|_| empty_taken)
            ],
            "{release:?}"
        );
    }
}
