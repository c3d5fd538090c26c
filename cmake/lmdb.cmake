# lmdb.cmake - nigh_lmdb over the system's liblmdb, or over the copy in third_party/lmdb
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Sets nigh_has_lmdb and nigh_lmdb_vendored. A copy goes into libnigh_lmdb.a itself: whoever links
# that has one LMDB, and its header beside it. AUTO is what the machine has for itself, else the
# copy: not in a cross build, nor for a project around us, which says what it wants.
set(nigh_has_lmdb OFF)
set(nigh_lmdb_vendored OFF)
if(NIGH_LMDB STREQUAL AUTO AND (CMAKE_CROSSCOMPILING OR NOT nigh_is_top_level))
  return()
elseif(NOT NIGH_LMDB)
  return()
elseif(NIGH_LMDB STREQUAL VENDORED)
  set(nigh_lmdb_vendored ON)
else()
  find_path(LMDB_INCLUDE_DIR lmdb.h)
  find_library(LMDB_LIBRARY lmdb)
  if(NOT LMDB_INCLUDE_DIR OR NOT LMDB_LIBRARY)
    if(NOT NIGH_LMDB STREQUAL AUTO)
      message(FATAL_ERROR "NIGH_LMDB is ON but lmdb.h or liblmdb is not found (Debian: "
        "liblmdb-dev; else set LMDB_INCLUDE_DIR and LMDB_LIBRARY, or NIGH_LMDB=VENDORED)")
    endif()
    message(STATUS "nigh: no liblmdb, so the copy in third_party/lmdb")
    set(nigh_lmdb_vendored ON)
  endif()
endif()

set(nigh_has_lmdb ON)
add_library(nigh_lmdb STATIC ${NIGH_LMDB_SOURCES})
add_library(nigh::nigh_lmdb ALIAS nigh_lmdb)
target_link_libraries(nigh_lmdb PUBLIC nigh_hosted PRIVATE $<BUILD_INTERFACE:nigh_flags>)
set_target_properties(nigh_lmdb PROPERTIES POSITION_INDEPENDENT_CODE ON)
if(nigh_lmdb_vendored)
  set(nigh_lmdb_dir ${PROJECT_SOURCE_DIR}/third_party/lmdb)
  set(nigh_lmdb_header_dir ${CMAKE_INSTALL_INCLUDEDIR}/nigh-lmdb)
  add_library(nigh_liblmdb OBJECT ${nigh_lmdb_dir}/mdb.c ${nigh_lmdb_dir}/midl.c)
  target_compile_options(nigh_liblmdb PRIVATE -w) # not ours to mend
  # Its sources want what is beyond ISO C.
  set_target_properties(nigh_liblmdb PROPERTIES POSITION_INDEPENDENT_CODE ON C_EXTENSIONS ON)
  target_sources(nigh_lmdb PRIVATE $<TARGET_OBJECTS:nigh_liblmdb>)
  target_include_directories(nigh_lmdb SYSTEM PUBLIC $<BUILD_INTERFACE:${nigh_lmdb_dir}>
    $<INSTALL_INTERFACE:${nigh_lmdb_header_dir}>)
else()
  target_include_directories(nigh_lmdb PUBLIC $<BUILD_INTERFACE:${LMDB_INCLUDE_DIR}>)
  target_link_libraries(nigh_lmdb PUBLIC $<BUILD_INTERFACE:${LMDB_LIBRARY}>
    $<INSTALL_INTERFACE:lmdb>)
endif()
