# install.cmake - what `cmake --install` puts where, for find_package and pkg-config
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The installed tree may be moved: both descriptions find their prefix from where they lie.
include(CMakePackageConfigHelpers)

set(nigh_installed nigh)
set(nigh_headers abi/nigh.h)
set(nigh_descriptions nigh)
if(TARGET nigh_shared)
  list(APPEND nigh_installed nigh_shared)
endif()
if(TARGET nigh_hosted)
  list(APPEND nigh_installed nigh_hosted)
  list(APPEND nigh_headers hosted/nigh_hosted.h)
  list(APPEND nigh_descriptions nigh-hosted)
endif()
if(TARGET nigh_lmdb)
  list(APPEND nigh_installed nigh_lmdb)
  list(APPEND nigh_headers hosted/nigh_lmdb.h)
  list(APPEND nigh_descriptions nigh-lmdb)
  set(nigh_lmdb_libs " -llmdb")
  if(nigh_lmdb_vendored) # inside libnigh_lmdb.a, so its header and licence come along
    set(nigh_lmdb_libs "")
    install(FILES third_party/lmdb/lmdb.h DESTINATION ${nigh_lmdb_header_dir})
    install(FILES third_party/lmdb/LICENSE third_party/lmdb/COPYRIGHT
      DESTINATION ${CMAKE_INSTALL_DOCDIR}/lmdb)
  endif()
endif()
if(TARGET nigh_cli)
  install(TARGETS nigh_cli)
endif()
install(TARGETS ${nigh_installed} EXPORT nigh)
install(FILES ${nigh_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE-APACHE LICENSE-MIT DESTINATION ${CMAKE_INSTALL_DOCDIR})

# find_package(nigh)
set(nigh_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nigh)
install(EXPORT nigh NAMESPACE nigh:: FILE nigh-targets.cmake DESTINATION ${nigh_cmake_dir})
configure_package_config_file(cmake/nigh-config.cmake.in
  ${PROJECT_BINARY_DIR}/nigh-config.cmake INSTALL_DESTINATION ${nigh_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nigh-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nigh-config.cmake
  ${PROJECT_BINARY_DIR}/nigh-config-version.cmake DESTINATION ${nigh_cmake_dir})

# pkg-config. Flags name ${pcfiledir} themselves: pkgconf 1.8 breaks it on its way through another
# variable where it has a space.
set(nigh_pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH nigh_pc_up /${nigh_pkgconfig_dir}/ /)
set(nigh_pc_prefix "\${pcfiledir}/${nigh_pc_up}")
foreach(name LIBDIR INCLUDEDIR)
  string(TOLOWER nigh_pc_${name} variable)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${name}})
    set(${variable} ${CMAKE_INSTALL_${name}})
  else()
    set(${variable} "\${pcfiledir}/${nigh_pc_up}${CMAKE_INSTALL_${name}}")
  endif()
endforeach()
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR}) # no way from there to the prefix
  set(nigh_pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(nigh_pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
endif()
set(nigh_lmdb_cflags "")
if(nigh_lmdb_vendored)
  set(nigh_lmdb_cflags " -I${nigh_pc_includedir}/nigh-lmdb")
endif()
foreach(name IN LISTS nigh_descriptions)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${nigh_pkgconfig_dir})
endforeach()
