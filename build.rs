//! Sets the linker flags that a Node addon needs.

fn main() {
    napi_build::setup();
    // A worker that was alone in loading the addon unloads it when it ends. Destructors of
    // thread-local values and whatever still runs then would be code that is gone, so the library
    // stays: https://github.com/rust-lang/rust/issues/91979
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
