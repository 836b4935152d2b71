//! The end of a panic in code that C calls. The JavaScript thread runs the code here.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work of a callback of C, or of a finalizer. A panic ends here, with the default answer: it must not
/// unwind into C, where it would end the process.
///
/// The owners of state see to it that a panic leaves no half of a change: a connection that panics is lost.
pub fn guarded<T: Default>(work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_panic_ends_with_the_default_answer() {
        assert!(guarded(|| true));
        assert!(!guarded(|| -> bool {
            panic!("a test asked for this panic")
        }));
    }

    /// Gives the bodies of the functions that C calls, and of the finalizers.
    fn entrances(source: &str) -> impl Iterator<Item = (&str, &str)> {
        let starts = ["unsafe extern \"C\" fn ", "    fn drop(&mut self)"];
        starts.into_iter().flat_map(move |start| {
            source.split(start).skip(1).filter_map(|rest| {
                let (name, body) = rest.split_once(" {\n").filter(|(name, _)| {
                    // A field or an argument, which is only a type.
                    !name.contains(';') && !name.starts_with('(')
                })?;
                let end = body.find("\n}").unwrap_or(body.len());
                Some((name, body.get(..end).unwrap_or_default()))
            })
        })
    }

    #[test]
    fn each_callback_of_c_catches_panics() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = 0;
        let rooms = ["javascript", "tls"].map(|room| fs::read_dir(source.join(room)).unwrap());
        for entry in rooms.into_iter().flatten() {
            let path = entry.unwrap().path();
            let Ok(source) = fs::read_to_string(&path) else {
                continue;
            };
            if path.ends_with("guard.rs") {
                continue;
            }
            for (name, body) in entrances(&source) {
                assert!(
                    body.contains("guarded(") || body.contains("// No panic:"),
                    "{}: {name}",
                    path.display()
                );
                found += 1;
            }
        }
        assert!(found >= 14, "{found}");
    }
}
