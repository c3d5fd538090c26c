# wasm32-clang.cmake - toolchain: clang and wasm-ld alone, no C library
# SPDX-License-Identifier: MIT OR Apache-2.0
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_C_COMPILER_TARGET wasm32)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# clang's driver would run whatever wasm-opt it finds after linking, and bytes would depend on it.
find_program(NIGH_WASM_LD wasm-ld-19 REQUIRED)
set(CMAKE_C_LINK_EXECUTABLE "${NIGH_WASM_LD} <OBJECTS> -o <TARGET> <LINK_FLAGS> <LINK_LIBRARIES>")
