// build.rs - compiles csrc/nigh.c, or asks pkg-config for an installed library (feature `system`);
// for the feature `lmdb` also the sources of hosted/
// SPDX-License-Identifier: MIT OR Apache-2.0
use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_SYSTEM").is_some() {
        link_installed();
    } else {
        compile();
    }
    if env::var_os("CARGO_FEATURE_LMDB").is_some() {
        compile_hosted();
    }
}

fn csrc() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("csrc")
}

/// What wants an operating system, over LMDB as csrc/lmdb/lmdb.h has it.
fn compile_hosted() {
    if env::var_os("CARGO_CFG_UNIX").is_none() {
        println!("cargo::error=feature `lmdb` is for Unix systems");
        return;
    }
    let source = csrc();
    println!("cargo::rerun-if-changed=csrc");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&source)
        .expect("csrc is part of the crate")
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("hosted") && name.ends_with(".c")
        })
        .collect();
    files.sort();
    let mut build = cc::Build::new();
    build
        .files(files)
        .include(&source)
        .include(source.join("lmdb"))
        .std("c11")
        .flag("-fvisibility=hidden")
        .opt_level(2)
        .compile("nigh_hosted");
}

/// The vendored source. It is freestanding: a target needs no C library and no headers of one.
fn compile() {
    let source = csrc();
    println!("cargo::rerun-if-changed=csrc/nigh.c");
    println!("cargo::rerun-if-changed=csrc/nigh.h");
    // Dependents with a build script find these as DEP_NIGH_INCLUDE and DEP_NIGH_ROOT.
    println!("cargo::metadata=include={}", source.display());
    println!(
        "cargo::metadata=root={}",
        PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).display()
    );
    let mut build = cc::Build::new();
    if build.get_compiler().is_like_msvc() {
        println!(
            "cargo::error=nigh.c is C11 with GNU extensions, which cl.exe does not compile: set \
             CC=clang, or use the *-pc-windows-gnu target"
        );
        return;
    }
    build
        .file(source.join("nigh.c"))
        .include(&source)
        .std("c11")
        .flag("-ffreestanding")
        .flag("-fno-math-errno")
        .flag("-fvisibility=hidden");
    // Searches at -O0 take twenty times as long, and nobody debugs the library from a dependent:
    // only a wish for small code is heard.
    if !matches!(env::var("OPT_LEVEL").as_deref(), Ok("s" | "z")) {
        build.opt_level(3);
    }
    if target_feature("simd128") {
        build.flag("-msimd128");
    }
    build.compile("nigh");
}

fn target_feature(name: &str) -> bool {
    env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|list| list.split(',').any(|one| one == name))
}

#[cfg(feature = "system")]
fn link_installed() {
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    match pkg_config::Config::new().atleast_version(&version).probe("nigh") {
        Ok(library) => {
            for path in library.include_paths {
                println!("cargo::metadata=include={}", path.display());
            }
        }
        Err(error) => println!(
            "cargo::error=feature `system` wants nigh {version} or later from pkg-config (without \
             the feature its source is compiled): {}",
            error.to_string().replace('\n', " ")
        ),
    }
}

#[cfg(not(feature = "system"))]
fn link_installed() {
    unreachable!("CARGO_FEATURE_SYSTEM is set by the feature")
}
