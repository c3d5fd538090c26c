// compile_fail.rs - what the compiler must refuse: each file of tests/fail, with its words
// SPDX-License-Identifier: MIT OR Apache-2.0
#[test]
#[ignore = "compiles many programs; its words are those of one compiler"]
fn lifetimes() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/fail/*.rs");
    #[cfg(feature = "lmdb")]
    cases.compile_fail("tests/fail_lmdb/*.rs");
}
