//! The stored inputs of the fuzz targets: their corpus and all inputs that once failed, run without a fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod targets;

fn replay(name: &str, run: fn(&[u8])) {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut inputs = Vec::new();
    for kind in ["corpus", "regressions"] {
        let Ok(files) = fs::read_dir(stored.join(kind).join(name)) else { continue };
        inputs.extend(files.map(|file| file.unwrap().path()));
    }
    inputs.sort();
    assert!(!inputs.is_empty(), "no corpus of {name}");
    for input in inputs {
        println!("{}", input.display());
        run(&fs::read(input).unwrap());
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), targets::$name::run);
            }
        )*
        /// A target whose inputs are not replayed here would be forgotten.
        #[test]
        fn all_targets_are_here() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
            let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            let mut names: Vec<String> =
                files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
            names.sort();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(
    alert_answers,
    api_requests,
    configuration,
    core_inputs,
    kernel_files,
    proxy_bytes,
    recordings,
    service_bytes,
    state_file
);
