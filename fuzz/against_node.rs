//! This addon fuzzes the decoder against the parser of the Node process that has loaded it: both get the same bytes in
//! the same packets, and must give the same outcome. `fuzz/against-node.js` builds and runs it.
//!
//! libFuzzer runs on the JavaScript thread and sees the coverage of the decoder. The parser is Node's own `HTTPParser`,
//! with the llhttp inside it; `fuzz/oracle.js` drives it.

use ferrequest::codec::{self, Decoder, Dialect};
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int};
use std::{ptr, slice};

#[path = "fuzz_targets/input.rs"]
mod input;
#[allow(dead_code)]
#[path = "../src/codec/tests/transcript.rs"]
mod transcript;

/// What the JavaScript side compares: the lengths of the response and of our outcome, which lie one after the other in
/// the memory that it gave; the first cut, and the distance of cuts << 8; mode, method, and header limit in bytes.
type Arguments = FnArgs<(u32, u32, u32, u32, u32, u32)>;

/// Compares an outcome with Node's, as long as the fuzzer runs.
type Compare<'a> = dyn Fn(&[u8]) + 'a;

thread_local! {
    /// The comparison of the `fuzz` under way, on this thread's stack.
    static COMPARE: Cell<Option<*const Compare<'static>>> = const { Cell::new(None) };
}

// Linked for libFuzzer itself.
use libfuzzer_sys as _;

unsafe extern "C" {
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        test_one_input: unsafe extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

/// libfuzzer-sys wants a target, although the driver is given one. It would call this from Rust.
#[allow(improper_ctypes_definitions)]
#[unsafe(no_mangle)]
extern "C" fn rust_fuzzer_test_input(_: &[u8]) -> i32 {
    0
}

unsafe extern "C" fn test_one_input(data: *const u8, size: usize) -> c_int {
    if let Some(compare) = COMPARE.get() {
        // SAFETY: libFuzzer gives `size` readable bytes. A slice must not begin at null.
        let input = match data.is_null() {
            true => &[][..],
            false => unsafe { slice::from_raw_parts(data, size) },
        };
        // SAFETY: `fuzz` holds what this points to until it takes the pointer away.
        unsafe { (*compare)(input) };
    }
    0
}

/// Runs libFuzzer with its own arguments. `compare` is called for each input, with what is in `memory`, and answers
/// whether Node's outcome is the same; if not, the input becomes an artifact. `llhttp` is the release that Node has, as
/// major << 16 | minor << 8 | patch.
#[napi]
pub fn fuzz(
    env: Env,
    arguments: Vec<String>,
    llhttp: u32,
    memory: BufferSlice,
    compare: Function<Arguments, bool>,
) -> Result<i32> {
    let dialect = Dialect::from_llhttp(llhttp >> 16, llhttp >> 8 & 0xff, llhttp & 0xff);
    let memory = RefCell::new(memory);
    let check = |input: &[u8]| {
        let mut scope = ptr::null_mut();
        // SAFETY: this is the JavaScript thread, within a call from JavaScript; the scope is closed below.
        unsafe { sys::napi_open_handle_scope(env.raw(), &mut scope) };
        if !agrees(input, dialect, &mut memory.borrow_mut(), &compare) {
            // libFuzzer keeps the input.
            std::process::abort();
        }
        // SAFETY: as above.
        unsafe { sys::napi_close_handle_scope(env.raw(), scope) };
    };
    let check: &Compare<'_> = &check;
    // SAFETY: the lifetime is extended only until `COMPARE` is emptied below, while `check` is still there.
    let pointer =
        unsafe { std::mem::transmute::<*const Compare<'_>, *const Compare<'static>>(check) };
    COMPARE.set(Some(pointer));
    let mut texts: Vec<*mut c_char> = Vec::new();
    for argument in arguments {
        texts.push(CString::new(argument)?.into_raw());
    }
    let mut argc =
        c_int::try_from(texts.len()).map_err(|error| Error::from_reason(error.to_string()))?;
    texts.push(ptr::null_mut());
    let mut argv = texts.as_mut_ptr();
    // SAFETY: argv has argc strings and a null behind them; all live until the process ends.
    let status = unsafe { LLVMFuzzerRunDriver(&mut argc, &mut argv, test_one_input) };
    COMPARE.set(None);
    Ok(status)
}

fn agrees(
    input: &[u8],
    dialect: Dialect,
    memory: &mut [u8],
    compare: &Function<Arguments, bool>,
) -> bool {
    let Some(input) = input::Input::read(input) else {
        return true;
    };
    let options = codec::DecoderOptions {
        dialect,
        ..input.options
    };
    let mut decoder = Decoder::new(options);
    let method = input.request_method();
    let outcome = transcript::decode(&mut decoder, input.bytes, &input.cuts(), options, method);
    let lines: Vec<&[u8]> = outcome.lines.iter().map(|line| line.0.as_slice()).collect();
    let ours = lines.join(&b'\n');
    let given = [input.bytes, &ours].concat();
    let Some(place) = memory.get_mut(..given.len()) else {
        // Too long to be worth it.
        return true;
    };
    place.copy_from_slice(&given);
    let numbers = [
        input.bytes.len(),
        ours.len(),
        usize::from(input.first_cut) | usize::from(input.distance) << 8,
        input.mode,
        input.method,
        options.max_header_size,
    ];
    // None is larger than the memory.
    let [length, our_length, cuts, mode, method, limit] =
        numbers.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let arguments = (length, our_length, cuts, mode, method, limit);
    match compare.call(arguments.into()) {
        Ok(is_same) => is_same,
        Err(error) => {
            eprintln!("{error}");
            false
        }
    }
}
